"""Where the built site lies, and its pages."""

from pathlib import Path

SITE = Path(__file__).resolve().parents[2] / "_build" / "html"


def pages() -> list[str]:
    """Return every page of the site that shows something, as a path from its root."""
    found = [path.relative_to(SITE) for path in SITE.rglob("*.html")]
    found = [path for path in found if path.parts[0] not in ("_static", "vendor")]
    return sorted(path.as_posix() for path in found if not _forwards(SITE / path))


def _forwards(page: Path) -> bool:
    """Whether a page only sends the reader on to another."""
    return 'http-equiv="Refresh"' in page.read_text(encoding="utf-8")
