"""Execute chapters into the cache that the build reads: those that have changed, in parallel.

    python tools/execute.py [--jobs N] chapters/*.ipynb

A chapter is executed again when its code has changed, or a file of the package that it has read
(modules but for comments and docstrings, weights, tables), or the pins, or the images that are
there. What it reads is seen as it runs, by `tools/witness/sitecustomize.py`.
"""

import argparse
import ast
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from jupyter_cache.cache.db import NbCacheRecord

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "_build" / ".jupyter_cache"
STATE = ROOT / "_build" / "chapters.json"
MEASURED = ROOT / "tools" / "chapters.json"  # by tools/measure_chapters.py
ONE = Path(__file__).with_name("execute_one.py")
WITNESS = Path(__file__).with_name("witness")
TIMEOUT = 300  # seconds per cell; on a machine with ten other jobs one has taken two minutes

_children: set[subprocess.Popen[str]] = set()


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def digest(path: Path) -> str:
    """Return the checksum of a file, of a module that of its code; nothing where it is gone."""
    if not path.is_file():
        return ""
    data = path.read_bytes()
    return hashlib.sha256(bare(data) if path.suffix == ".py" else data).hexdigest()


@cache
def bare(source: bytes) -> bytes:
    """Return what a module does, without comments and docstrings."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return source
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = node.body[ast.get_docstring(node) is not None :]
    return ast.dump(tree).encode()


def stored(path: Path) -> dict[str, dict[str, Any]]:
    """Return what a file holds about each chapter; nothing where it is not there, or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def surroundings() -> str:
    """Return the checksum of what all chapters need: interpreter, pins, what runs them, images."""
    # The Makefile has asked `python -m vaebook data` what is there.
    files = (ROOT / "requirements.txt", STATE.with_name("data"), ONE, WITNESS / "sitecustomize.py")
    parts = [sys.version, *map(digest, files)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def mark(record: NbCacheRecord) -> str:
    """Return what tells one execution from all others, even of the same cells."""
    return f"{record.hashkey} {record.created.isoformat()}"


def is_current(
    notebook: nbformat.NotebookNode, known: dict[str, Any], cache: JupyterCacheAbstract
) -> bool:
    """Tell whether the cache holds what this notebook would give now."""
    try:
        found = cache.match_cache_notebook(notebook)
        record = cache.get_cache_bundle(found.pk).record  # unless its file is gone
    except KeyError:
        return False
    # The cache keeps older cells too, and of two notebooks with the same cells only the last that
    # was executed; what is known must be of that very execution.
    reads: dict[str, str] = known.get("reads", {})
    return (
        known.get("execution") == mark(record)
        and known.get("surroundings") == surroundings()
        and all(digest(ROOT / name) == found for name, found in reads.items())
    )


def run(path: Path) -> tuple[nbformat.NotebookNode, dict[str, str | None], float]:
    """Execute a notebook in a process of its own; return it, checksums of its reads, and seconds.

    A file that was edited meanwhile has no checksum, since the old one may have been read.

    Raises:
        RuntimeError: when a cell fails, with its traceback.
    """
    folder = STATE.parent / "executing"
    folder.mkdir(parents=True, exist_ok=True)
    executed, seen = folder / path.name, folder / f"{path.stem}.reads"
    seen.write_text("", encoding="utf-8")
    search = os.pathsep.join(filter(None, [str(WITNESS), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {
        "PYTHONPATH": search,
        "VAEBOOK_WITNESS": str(seen),
        "VAEBOOK_WITNESS_ROOT": str(ROOT / "vaebook"),
    }
    start = time.time()
    process = subprocess.Popen(
        [sys.executable, str(ONE), str(path), str(executed), str(TIMEOUT)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    _children.add(process)
    output, _ = process.communicate()
    _children.discard(process)
    if process.returncode:
        raise RuntimeError(f"{path.name} failed:\n{output[-4000:]}")
    notebook = nbformat.read(executed, as_version=4)
    names = sorted(set(seen.read_text(encoding="utf-8").splitlines()))
    reads = {name: None if is_newer(ROOT / name, start) else digest(ROOT / name) for name in names}
    return notebook, reads, time.time() - start


def is_newer(path: Path, moment: float) -> bool:
    """Tell whether a file was edited after a moment."""
    return path.is_file() and path.stat().st_mtime >= moment


def exit_on_signals() -> None:
    """Leave by SystemExit when asked to end, so that what is running is ended on the way out."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(130))


def main(arguments: list[str] | None = None) -> int:
    """Execute what is not current; 1 when a chapter fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--jobs", type=int, default=cores())
    parser.add_argument("chapters", nargs="*", type=Path)
    options = parser.parse_args(arguments)
    exit_on_signals()

    CACHE.mkdir(parents=True, exist_ok=True)
    cache = get_cache(str(CACHE))
    state = stored(STATE)
    outdated = [
        path
        for path in map(Path.resolve, options.chapters)
        if not is_current(nbformat.read(path, as_version=4), state.get(path.stem, {}), cache)
    ]
    # The longest first, so that none of them runs alone at the end; in a fresh clone by the table.
    known = stored(MEASURED) | state
    outdated.sort(key=lambda path: -known.get(path.stem, {}).get("seconds", 60))
    failed, around = [], surroundings()
    pool = ThreadPoolExecutor(options.jobs)
    try:
        running = {pool.submit(run, path): path for path in outdated}
        for future in as_completed(running):
            path = running[future]
            try:
                notebook, reads, seconds = future.result()
            except RuntimeError as error:
                failed.append(path)
                print(error, file=sys.stderr, flush=True)
                continue
            bundle = CacheBundleIn(nb=notebook, uri=str(path), data={"execution_seconds": seconds})
            record = cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            state[path.stem] = {
                "seconds": round(seconds, 1),
                "execution": mark(record),
                "surroundings": around,
                "reads": reads,
            }
            whole = STATE.with_suffix(".new")  # so that a kill leaves the old one
            whole.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
            whole.replace(STATE)
            print(f"executed {path.stem} in {seconds:.0f} s", flush=True)
    finally:  # of what a signal has interrupted nothing is left, and nothing more begins
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(_children):
            process.terminate()
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
