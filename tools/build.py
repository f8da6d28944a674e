"""Build the pages: execute what has changed, render, and share what live figures have in common.

    python tools/build.py chapters/*.ipynb

One build at a time in a folder. The pages count as built when the build began, so that what is
edited meanwhile is not taken for rendered.
"""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

import execute
import share

ROOT = execute.ROOT
BUILD = ROOT / "_build"
SITE = BUILD / "html"


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


def render() -> int:
    """Render the pages, every warning an error.

    All pages: otherwise a change of a style sheet, a script or the contents would reach none of
    them, and pages that are gone would stay. A second run would not repeat the warnings of the
    first, so what a failed one has read is forgotten.
    """
    rmtree(SITE, ignore_errors=True)
    builder = str(Path(sys.executable).with_name("jupyter-book"))
    command = [builder, "build", str(ROOT), "--all", "-W", "-n", "--keep-going"]
    status = subprocess.run(command, check=False).returncode
    if status:
        rmtree(BUILD / ".doctrees", ignore_errors=True)
    return status


def main(chapters: list[str]) -> int:
    """Return the exit status of the first step that fails, or 0."""
    execute.exit_on_signals()
    with alone():
        start = time.time()
        status = execute.main(chapters) or render()
        if not status:
            share.main(SITE)
            os.utime(SITE / "index.html", (start, start))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
