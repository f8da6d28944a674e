"""Build the pages: execute what has changed, render, and share what live figures have in common.

    python tools/build.py intro.ipynb chapters/*.ipynb
    python tools/build.py --chapter 4 chapters/*.ipynb

One build at a time in a folder. The pages count as built when the build began, so that what is
edited meanwhile is not taken for rendered. One chapter is rendered into a folder of its own.
"""

import argparse
import contextlib
import fcntl
import io
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

import nbformat
from jupyter_book.sphinx import build_sphinx
from jupyter_cache import get_cache

import execute
import share

ROOT = execute.ROOT
BUILD = ROOT / "_build"
SITE = BUILD / "html"
PREVIEW = BUILD / "chapter" / "html"


@contextmanager
def alone() -> Iterator[None]:
    """Hold the folder's lock.

    Raises:
        SystemExit: when another build has it.
    """
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / "lock", "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            sys.exit(f"another build runs in this folder (process {file.read().strip()})")
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def sphinx(site: Path, overrides: dict[str, Any] | None = None, **options: Any) -> int:
    """Read all pages anew, and render them or the files that are named.

    Anew: otherwise a change of the contents or of an output would reach only some of them.
    Return 0, or 1 where something on a page is wrong, or 2 where the build broke off.
    """
    given = {"external_toc_path": str(ROOT / "_toc.yml"), "latex_individualpages": False}
    status = build_sphinx(
        ROOT,
        site,
        noconfig=True,
        path_config=ROOT / "_config.yml",
        confoverrides=given | {"nitpicky": True} | (overrides or {}),
        freshenv=True,
        **options,
    )
    return 2 if isinstance(status, BaseException) else int(bool(status))


def render() -> int:
    """Render the pages, every warning an error; pages that are gone do not stay."""
    rmtree(SITE, ignore_errors=True)
    return sphinx(SITE, warningiserror=True, keep_going=True)


def preview(chapter: Path) -> int:
    """Render one page; the others are read for what it refers to, and not executed for that."""
    cache = get_cache(str(execute.CACHE))
    unknown = []
    for path in [*ROOT.glob("*.ipynb"), *chapter.parent.glob("*.ipynb")]:
        try:
            cache.match_cache_notebook(nbformat.read(path, as_version=4))
        except KeyError:
            unknown.append(path.name)
    overrides = {
        "nb_execution_cache_path": str(execute.CACHE),
        "nb_execution_excludepatterns": unknown,
    }
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        status = sphinx(PREVIEW, overrides, filenames=[str(chapter)], quiet=True)
    # Of chapters that were never executed there is much to say, and nothing that matters here.
    lines = [line for line in said.getvalue().splitlines() if status or chapter.name in line]
    print("\n".join(lines), file=sys.stderr)
    return status


def numbered(chapters: list[Path], number: str) -> Path:
    """Return the chapter that has a number.

    Raises:
        SystemExit: when there is none, with those that there are.
    """
    known = {str(int(path.name.split("_")[0])): path for path in chapters}
    if found := known.get(number.strip().lstrip("0")):
        return found
    listed = "\n".join(f"  N={n:<3} {path.name}" for n, path in known.items())
    sys.exit(f"N={number} is no chapter; there are\n{listed}")


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status of the first step that fails, or 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--chapter", metavar="N", help="only this one, into a folder of its own")
    parser.add_argument("chapters", nargs="*", type=Path)
    options = parser.parse_args(arguments)
    chapters = [path.resolve() for path in options.chapters]
    execute.exit_on_signals()
    if options.chapter is not None:
        chapter = numbered(chapters, options.chapter)
        with alone():
            status = execute.main([str(chapter)]) or preview(chapter)
        if not status:
            share.main(PREVIEW)
            page = PREVIEW / chapter.relative_to(ROOT).with_suffix(".html")
            print(f"The page is at {page.relative_to(ROOT)}")
        return status
    with alone():
        start = time.time()
        status = execute.main([str(chapter) for chapter in chapters]) or render()
        if not status:
            share.main(SITE)
            os.utime(SITE / "index.html", (start, start))
    return status


if __name__ == "__main__":
    sys.exit(main())
