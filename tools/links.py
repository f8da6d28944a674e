"""Try every link that leads out of the book, and fail where one is really dead.

    python tools/links.py

The book is built before, so that no chapter is executed again.
Publishers often answer a program with "forbidden" or "too many requests" where a reader gets the
page. Those links are listed, and do not count as dead.
"""

import json
import re
import sys
from shutil import rmtree

import build
import execute

REFUSED = re.compile(r"\b(401|403|405|418|429|503|999)\b")


def sort(lines: list[str]) -> tuple[list[str], list[str]]:
    """Return the dead links and those that were refused, with page and reason."""
    dead: list[str] = []
    refused: list[str] = []
    for found in map(json.loads, filter(None, lines)):
        if found["status"] not in ("broken", "timeout"):
            continue
        text = f"{found['filename']}:{found['lineno']}: {found['uri']} {found['info']}"
        (refused if REFUSED.search(found["info"]) else dead).append(text)
    return dead, refused


def main() -> int:
    """List them; 1 when one is dead or none was tried, 2 when Sphinx broke off."""
    checked = build.BUILD / "links" / "checked"
    rmtree(checked, ignore_errors=True)
    # A dead link is an error to Sphinx; here its list decides.
    status = build.sphinx(
        checked, {"nb_execution_cache_path": str(execute.CACHE)}, builder="linkcheck", quiet=True
    )
    if status == 2:
        return status
    lines = (checked / "output.json").read_text(encoding="utf-8").split("\n")
    dead, refused = sort(lines)
    print(*(f"refused {text}" for text in refused), *(f"DEAD {text}" for text in dead), sep="\n")
    print(f"{len([x for x in lines if x])} links, {len(refused)} refused, {len(dead)} dead")
    return int(bool(dead) or not any(lines))


if __name__ == "__main__":
    sys.exit(main())
