"""Run chapters as Binder would, on one core and with 2 GB, and write down what they took.

    python tools/measure_chapters.py chapters/*.ipynb

Results go to `tools/chapters.json` (those of other chapters stay) and from there into the
table of `chapters/running.md`. A chapter runs in a fresh process that is tied to one core; its
kernel may not take more than 2 GB of data (RLIMIT_DATA: a real limit, allocations beyond it fail).
Memory is the kernel's and the client's own largest resident size added up, as the operating system
recorded it; seconds are those of the clock and those of the processor. The images of MNIST must be
there, as they are on Binder. Linux only.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "tools" / "chapters.json"
PAGE = ROOT / "chapters" / "running.md"
UNBROKEN = "\N{NON-BREAKING HYPHEN}"
LIMIT = 2 * 10**9
BEGIN, END = "<!-- the table: tools/measure_chapters.py -->", "<!-- end of the table -->"


def child(path: Path) -> None:
    """Execute one notebook under the limits and print what it took."""
    import nbformat
    from nbclient import NotebookClient

    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    notebook = nbformat.read(path, as_version=4)
    start = time.monotonic()
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=600, resources=resources).execute()
    seconds = time.monotonic() - start
    kernel = resource.getrusage(resource.RUSAGE_CHILDREN)
    client = resource.getrusage(resource.RUSAGE_SELF)
    result = {
        "seconds": round(seconds, 1),
        "processor_seconds": round(kernel.ru_utime + kernel.ru_stime, 1),
        "megabytes": round((kernel.ru_maxrss + client.ru_maxrss) * 1024 / 1e6),
    }
    print(json.dumps(result))


def measure(path: Path) -> dict[str, float]:
    """Run one chapter in a process of its own.

    Raises:
        RuntimeError: when it fails, for want of memory or otherwise.
    """
    settings = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "TQDM_DISABLE": "1"}
    command = [sys.executable, __file__, "--child", str(path)]
    run = subprocess.run(
        command, env=os.environ | settings, capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise RuntimeError(f"{path.name} failed under the limits:\n{run.stderr[-3000:]}")
    return dict(json.loads(run.stdout.strip().split("\n")[-1]))


def table(results: dict[str, dict[str, float | str]]) -> str:
    """Return the table of the appendix."""
    lines = ["| chapter | seconds | on the CPU | largest memory, MB | measured |"]
    lines += ["| --- | ---: | ---: | ---: | --- |"]
    for name, r in sorted(results.items()):
        lines.append(
            f"| {{doc}}`{name}` | {r['seconds']:.0f} | {r['processor_seconds']:.0f} "
            f"| {r['megabytes']:,} | {str(r['date']).replace('-', UNBROKEN)} |"
        )
    clock, processor = (
        sum(float(r[key]) for r in results.values()) for key in ("seconds", "processor_seconds")
    )
    largest = max(int(r["megabytes"]) for r in results.values())
    lines.append(f"| all, one by one | {clock:.0f} | {processor:.0f} | {largest:,} | |")
    return "\n".join(lines)


def write(results: dict[str, dict[str, float | str]]) -> None:
    """Write results and table."""
    RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    text = f"{before}{BEGIN}\n\n{table(results)}\n\n{END}{after}"
    PAGE.write_text(text, encoding="utf-8")


def main(paths: list[str]) -> None:
    """Measure each chapter and forget those that are gone."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    there = {path.stem for path in (ROOT / "chapters").glob("*.ipynb")}
    results = {name: result for name, result in results.items() if name in there}
    for path in (Path(p).resolve() for p in paths):
        found: dict[str, Any] = dict(measure(path))
        found |= {"date": f"{datetime.now(UTC):%Y-%m-%d}", "load": round(os.getloadavg()[0], 1)}
        found |= {"python": platform.python_version()}
        results[path.stem] = found
        print(path.stem, found, flush=True)
        write(results)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]))
    else:
        main(sys.argv[1:])
