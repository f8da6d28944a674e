"""Where the built site lies, its pages, and what to ask of one."""

from pathlib import Path

SITE = Path(__file__).resolve().parents[2] / "_build" / "html"
# The formulas of a page that were not typeset.
RAW_MATHS = r"""() => [...document.querySelectorAll("main .math")]
  .filter((node) => !node.querySelector("mjx-container") || node.querySelector("mjx-merror"))
  .map((node) => node.textContent.trim().slice(0, 60))"""


def pages() -> list[str]:
    """Return every page of the site that shows something, as a path from its root."""
    found = [path.relative_to(SITE) for path in SITE.rglob("*.html")]
    found = [path for path in found if path.parts[0] not in ("_static", "vendor")]
    return sorted(path.as_posix() for path in found if not _forwards(SITE / path))


def _forwards(page: Path) -> bool:
    """Whether a page only sends the reader on to another."""
    return 'http-equiv="Refresh"' in page.read_text(encoding="utf-8")
