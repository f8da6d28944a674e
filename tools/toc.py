"""The pages of the book in reading order, from its table of contents."""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def listed() -> list[str]:
    """Return the pages in reading order, as paths without a suffix."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = toc.get("parts", [{"chapters": toc.get("chapters", [])}])
    chapters = [chapter for part in parts for chapter in part["chapters"]]
    pages = [page for chapter in chapters for page in (chapter, *chapter.get("sections", []))]
    return [toc["root"], *(page["file"] for page in pages)]


def title() -> str:
    """Return the title of the book."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return str(config["title"])
