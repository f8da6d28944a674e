"""What all processes of a submission take together, and an end of the largest when it is too much.

And a bound for the grader's own, which computes with numbers that a submission has sent.

Each process has a limit of its own (`inside`), which says nothing of many. Pages that processes
share, as forks do, are counted once. The system limits the number of processes, but not for root.
"""

__all__ = ["bounded", "has", "watched"]

import contextlib
import mmap
import os
import resource
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_PERIOD = 0.05  # seconds, in which a core fills a few hundred megabytes


@contextlib.contextmanager
def bounded(limit: int) -> Iterator[None]:
    """Let this process take `limit` bytes more than it has, where the system can.

    Raises:
        MemoryError: when more is asked for, or the system itself has none.
    """
    before = soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = _kilobytes(os.getpid(), "status", "VmSize:") * 1024 + limit
    with contextlib.suppress(ValueError, OSError):  # macOS knows no RLIMIT_AS
        if most > limit and soft in (resource.RLIM_INFINITY, max(soft, most)):
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def has(n_bytes: int) -> bool:
    """Whether this process could have as many bytes."""
    try:
        mmap.mmap(-1, n_bytes).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def watched(pid: int, limit: int, spared: int, most: int | None) -> Iterator[Counter[str]]:
    """End the largest descendant of a process for as long as all take more than `limit` bytes.

    Args:
        pid: of the process.
        limit: bytes beyond those of the first `spared` processes.
        spared: how many processes, from the root, are not the submission's.
        most: how many may be the submission's. With more the last that is spared is ended; it is
            the first of its namespace, with which all others end at once. None for any number.

    Yields:
        How many have been ended for their "memory", and whether all were for their "number".
    """
    ended: Counter[str] = Counter()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_PERIOD):
            with contextlib.suppress(OSError, ValueError, IndexError):
                processes = list(_descendants(pid))
                if most is not None and len(processes) > spared + most:
                    os.kill(processes[spared - 1], signal.SIGKILL)
                    ended["number"] += 1
                    return
                while not over.is_set() and (largest := _too_much(processes, limit, spared)):
                    os.kill(largest, signal.SIGKILL)
                    ended["memory"] += 1
                    over.wait(_PERIOD / 5)
                    processes = list(_descendants(pid))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield ended
    finally:
        over.set()
        thread.join()


def _too_much(processes: list[int], limit: int, spared: int) -> int:
    """The largest process if all take too much, else 0."""
    root = processes[spared - 1]
    before = _kilobytes(root, "status", "RssAnon:", "RssShmem:")
    grown = {
        process: _kilobytes(process, "status", "RssAnon:", "RssShmem:") - before
        for process in processes[spared:]
    }
    # Quick, and too high by what is shared; what is exact takes a while.
    if sum(n for n in grown.values() if n > 0) * 1024 <= limit:
        return 0
    # The first process lets nobody read how much of its own is shared: that is still counted.
    own = [_kilobytes(process, "smaps_rollup", "Pss_Anon:", "Pss_Shmem:") for process in grown]
    if sum(own) * 1024 <= limit:
        return 0
    # Of equals the last, which was forked from the others.
    return max(reversed(grown), key=grown.__getitem__)


def _descendants(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in children.read_text(encoding="ascii").split():
                yield from _descendants(int(child))


def _kilobytes(pid: int, file: str, *names: str) -> int:
    """The sum of some lines of a file on a process; 0 when it has just ended."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/{file}").read_text(encoding="ascii").split("\n")
        return sum(int(line.split()[1]) for line in lines if line.startswith(names))
    return 0
