"""Keep on each page of a built site one copy of what several live figures share.

Each output carries its models and the script that runs them. A figure finds a model anywhere on
its page by the hash of its content, and defines itself for the others, so the first copy will do.

    python tools/share.py _build/html
"""

__all__ = ["share"]

import re
import sys
from pathlib import Path

_COPIES = re.compile(
    r'<script type="(?:application/json" data-model="[0-9a-f]{64}'
    r'|module" data-vaebook-live=")">.*?</script>',
    re.DOTALL,
)


def share(page: str) -> str:
    """Return a page's HTML without repeated models and scripts of live figures."""
    seen: set[str] = set()

    def first(match: re.Match[str]) -> str:
        if match[0] in seen:
            return ""
        seen.add(match[0])
        return match[0]

    return _COPIES.sub(first, page)


def main(site: Path) -> None:
    """Rewrite the pages of a site that have something to share."""
    saved = 0
    for path in site.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        shared = share(page)
        if shared != page:
            path.write_text(shared, encoding="utf-8")
            saved += len(page) - len(shared)
    print(f"Shared models and scripts of live figures: {saved / 1e6:.1f} MB less")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit("usage: python tools/share.py SITE")
    main(Path(sys.argv[1]))
