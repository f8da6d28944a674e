"""The same function at many points: on one core, on several, or on a cluster.

One core is a plain loop, several cores are joblib's processes, a cluster is one of Dask's that
runs already. A point's result is the same bits wherever it is computed, on the CPU with equal
builds: each gets one thread and the same seeds.
"""

__all__ = ["Outcome", "WorkersLost", "each"]

import hashlib
import json
import os
import platform
import random
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from threading import Thread
from typing import Any

import numpy as np
import torch

import vaebook
from vaebook import _checks

Point = Mapping[str, Any]
_DEATHS = 3  # of workers, with no point finished between them


class WorkersLost(RuntimeError):
    """Nobody is left to compute."""


@dataclass(frozen=True)
class Outcome:
    """What came of one point.

    Attributes:
        index: of the point in the sequence.
        value: what the function returned; None where it failed.
        error: the traceback of what it raised; None where it went well.
    """

    index: int
    value: Any
    error: str | None = None


def each(
    function: Callable[..., Any],
    points: Sequence[Point],
    *,
    n_jobs: int = 1,
    scheduler: str | None = None,
) -> Iterator[Outcome]:
    """Call a function at every point and yield what comes of each, as it comes.

    A point that raises is an outcome like others. A worker that dies is replaced, and only the
    points that were under way are computed again; after three deaths without a result between
    them it is given up.

    Args:
        function: called with a point's entries as keywords; what it returns must be picklable,
            and so must it be itself where there is more than one process.
        points: each the keywords of one call.
        n_jobs: processes of this machine; 1 computes in this one.
        scheduler: address of a Dask cluster to use instead, such as "tcp://host:8786" (needs
            ``pip install "vaebook[cluster]"``); its workers should have one thread each.

    Raises:
        ValueError: when `n_jobs` is no positive number, there is no such scheduler, or its
            workers have other versions of Python, torch or this package.
        WorkersLost: when workers die again and again, or the scheduler is lost.

    Example:
        >>> def square(x):
        ...     return x * x
        >>> [outcome.value for outcome in each(square, [{"x": 2}, {"x": 3}])]
        [4, 9]
    """
    _checks.count(n_jobs, "n_jobs")
    if not callable(function):
        raise ValueError(f"function must be callable, got {function!r}")
    if not isinstance(points, Sequence) or not all(isinstance(point, Mapping) for point in points):
        raise ValueError(f"points must be a sequence of mappings of keywords, got {points!r}")
    if not isinstance(scheduler, str | None):
        raise ValueError(f"scheduler must be an address, got {scheduler!r}")
    if scheduler is not None:
        return _on_cluster(function, points, scheduler)
    if n_jobs == 1:
        return _here(function, points)
    return _on_processes(function, points, n_jobs)


def _here(function: Callable[..., Any], points: Sequence[Point]) -> Iterator[Outcome]:
    for index, point in enumerate(points):
        with _one_thread():
            outcome = _call(function, index, point)
        yield outcome


def _on_processes(
    function: Callable[..., Any], points: Sequence[Point], n_jobs: int
) -> Iterator[Outcome]:
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import BrokenProcessPool

    left = dict(enumerate(points))
    deaths = 0
    while left:
        parallel = Parallel(
            n_jobs=n_jobs, batch_size=1, pre_dispatch=2 * n_jobs, return_as="generator_unordered"
        )
        tasks = [delayed(_in_child)(function, index, point) for index, point in left.items()]
        try:
            for outcome in parallel(tasks):
                deaths = 0
                del left[outcome.index]
                yield outcome
        except BrokenProcessPool as error:
            deaths += 1
            if deaths == _DEATHS:
                raise WorkersLost(
                    f"workers died {deaths} times with no point finished between them, perhaps "
                    f"for want of memory; {len(left)} of {len(points)} points are left"
                ) from error


def _on_cluster(
    function: Callable[..., Any], points: Sequence[Point], scheduler: str
) -> Iterator[Outcome]:
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise ValueError(
            f'scheduler {scheduler!r} needs Dask: pip install "vaebook[cluster]"'
        ) from error
    try:
        client = Client(scheduler, timeout="5s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"scheduler must be the address of a running Dask cluster, got {scheduler!r}: {error}"
        ) from error
    with client:
        _check_builds(client.run(_build), scheduler)
        n_threads = sum(client.nthreads().values())
        under_way: dict[Any, int] = {}

        def hand_out(start: int, stop: int) -> list[Any]:
            """Hand out points, many at once, since each graph costs the scheduler much."""
            chosen = range(start, min(stop, len(points)))
            call = partial(_in_worker, function)
            futures = client.map(call, chosen, points[start:stop], pure=False)
            under_way.update(zip((future.key for future in futures), chosen, strict=True))
            return futures

        # What waits at the scheduler costs memory there, and an idle worker costs time.
        handed_out = 2 * n_threads
        done = as_completed(
            hand_out(0, handed_out), loop=client.loop, with_results=True, raise_errors=False
        )
        for batch in done.batches():
            for future, result in batch:
                index = under_way.pop(future.key)
                if future.status == "cancelled":
                    left = len(under_way) + 1
                    raise WorkersLost(
                        f"lost the scheduler {scheduler} with {left} points under way"
                    )
                if future.status == "error":
                    result = Outcome(index, None, str(future.exception()))
                yield result
            if len(under_way) <= n_threads and handed_out < len(points):
                done.update(hand_out(handed_out, handed_out + n_threads))
                handed_out += n_threads


def _check_builds(found: Mapping[str, dict[str, str]], scheduler: str) -> None:
    if not found:
        raise ValueError(f"scheduler {scheduler!r} has no workers")
    for worker, build in found.items():
        if build != _build():
            raise ValueError(f"worker {worker} has {build}, and this process {_build()}")


def _build() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "vaebook": vaebook.__version__,
    }


def _in_child(function: Callable[..., Any], index: int, point: Point) -> Outcome:
    _end_with(os.getppid())
    return _in_worker(function, index, point)


@cache
def _end_with(parent: int) -> None:
    """End this process soon after its parent, which may be killed and can't tell it."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _in_worker(function: Callable[..., Any], index: int, point: Point) -> Outcome:
    _limit_threads()
    return _call(function, index, point)


def _call(function: Callable[..., Any], index: int, point: Point) -> Outcome:
    digest = hashlib.sha256(json.dumps(dict(point), sort_keys=True, default=repr).encode())
    with _seeds(int.from_bytes(digest.digest()[:4], "big")):
        try:
            return Outcome(index, function(**point))
        except Exception:
            return Outcome(index, None, traceback.format_exc())


@contextmanager
def _seeds(seed: int) -> Iterator[None]:
    """Seed what draws without a generator: what ran before in this process must not show."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - what libraries draw from, not this package
    torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])


@cache
def _limit_threads() -> ExitStack:
    """Give this process one thread for good; once, as a search for libraries takes a while."""
    stack = ExitStack()
    stack.enter_context(_one_thread())
    return stack


@contextmanager
def _one_thread() -> Iterator[None]:
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
