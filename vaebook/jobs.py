"""The same function at many points: on one core, on several, or on a cluster.

One core is a plain loop, several cores are joblib's processes, a cluster is one of Dask's that
runs already. A point's result is the same bits wherever it is computed, on the CPU with equal
builds: each gets one thread and the same seeds.
"""

__all__ = ["Outcome", "WorkersLost", "each"]

import asyncio
import hashlib
import json
import os
import platform
import random
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from threading import Thread
from typing import Any

import numpy as np
import torch

import vaebook
from vaebook import _checks
from vaebook.fingerprint import describe

Point = Mapping[str, Any]
_DEATHS = 3  # of workers, with no point finished between them


class WorkersLost(RuntimeError):
    """No worker is left to compute."""


class _OtherBuild(ValueError):
    """A worker would compute something else."""


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

    A point that raises is an outcome like any other. A worker that dies is replaced, and only the
    points that were under way are computed again, after all others; after three deaths in a row
    without a result the call gives up.

    Args:
        function: called with a point's entries as keywords. Where other processes compute, it
            and what it returns must be picklable.
        points: each the keywords of one call.
        n_jobs: processes of this machine, no more than there are points; 1 computes in this one.
        scheduler: address of a Dask cluster to use instead, such as ``tcp://host:8786`` (needs
            ``pip install "vaebook[cluster]"``). Its workers have one thread each; some may join
            later.

    Raises:
        ValueError: when `n_jobs` is no positive number, the function cannot be sent to another
            process, there is no such scheduler or it has no workers, or a worker has several
            threads, or another version of Python, torch or this package.
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
    if scheduler is None and min(n_jobs, len(points)) <= 1:
        return _here(function, points)
    _check_portable(function, points)
    if scheduler is not None:
        return _on_cluster(function, points, scheduler)
    return _on_processes(function, points, min(n_jobs, len(points)))


def _check_portable(function: Callable[..., Any], points: Sequence[Point]) -> None:
    from joblib.externals.loky.backend.reduction import dumps

    try:
        dumps((function, points))
    except Exception as error:
        raise ValueError(
            f"function and points must be picklable to reach another process: {error}"
        ) from error


def _here(function: Callable[..., Any], points: Sequence[Point]) -> Iterator[Outcome]:
    for index, point in enumerate(points):
        yield _in_this(function, index, point)


def _on_processes(
    function: Callable[..., Any], points: Sequence[Point], n_jobs: int
) -> Iterator[Outcome]:
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import BrokenProcessPool, TerminatedWorkerError

    left = dict(enumerate(points))
    deaths = 0
    while left:
        # When all that is left may be what kills its worker, one after the other shows which does.
        under_way = 1 if deaths and len(left) <= 2 * n_jobs else 2 * n_jobs
        parallel = Parallel(
            n_jobs=n_jobs,
            backend="loky",
            batch_size=1,
            pre_dispatch=under_way,
            max_nbytes=None,  # arrays arrive as they are, not as files that can't be written to
            return_as="generator_unordered",
        )
        tasks = [delayed(_in_child)(os.getpid(), function, *entry) for entry in left.items()]
        try:
            with _uninterrupted():
                begun = parallel(tasks)
            with closing(begun) as outcomes:
                for outcome in outcomes:
                    deaths = 0
                    del left[outcome.index]
                    yield outcome
        except TerminatedWorkerError as error:
            deaths += 1
            if deaths == _DEATHS:
                raise WorkersLost(
                    f"workers died {deaths} times with no point finished between them, perhaps "
                    f"for want of memory; {len(left)} of {len(points)} points are left"
                ) from error
            # A point that kills its worker each time must not keep the others from their turn.
            for index in list(left)[:under_way]:
                left[index] = left.pop(index)
        except BrokenProcessPool as error:
            reason = str(error.__cause__).rstrip(' "\n').splitlines()[-1]
            raise ValueError(
                "function must be readable in another process, where what functools.cache wraps "
                f"is known only if it stands in a module: {reason}"
            ) from error
        finally:
            # Processes that stayed would know the modules of today when these have changed.
            get_reusable_executor().shutdown(kill_workers=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Start processes that Ctrl-C doesn't reach: this one ends them, and says so once."""
    if not hasattr(signal, "pthread_sigmask"):  # as on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def _greet(scheduler: str) -> None:
    """Ask for an answer within seconds.

    A client waits without end for one that accepts and never speaks; and one that fails to start
    stays open, and is collected at any time: if that is while the next one starts, both wait for
    each other for ever.
    """
    from distributed.comm import connect
    from distributed.security import Security

    arguments = Security().get_connection_args("client")
    (await asyncio.wait_for(connect(scheduler, timeout=5, **arguments), 5)).abort()


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
        # In a thread, since a notebook has a running loop of its own.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, _greet(scheduler)).result()
    except (OSError, ValueError) as error:
        raise ValueError(
            f"scheduler must be the address of a running Dask cluster, got {scheduler!r}: "
            f"{str(error) or 'no answer'}"
        ) from error
    with Client(scheduler, timeout="5s", set_as_default=False) as client:
        try:
            if not client.run(_check_build, _build()):
                raise ValueError(f"scheduler {scheduler!r} has no workers yet")
        except ImportError as error:
            raise ValueError(f"a worker of {scheduler} lacks something: {error}") from error
        call = partial(_on_worker, _build(), function)
        waiting = iter(enumerate(points))
        under_way: dict[Any, int] = {}

        def hand_out(n_workers: int) -> list[Any]:
            """Let each worker have two points, handed out many at once: each graph has its cost.

            What waits at the scheduler takes memory there, and an idle worker takes time.
            """
            chosen = list(islice(waiting, max(0, 2 * n_workers - len(under_way))))
            if not chosen:
                return []
            futures = client.map(call, *zip(*chosen, strict=True), pure=False)
            keys = (future.key for future in futures)
            under_way.update(zip(keys, (index for index, _ in chosen), strict=True))
            return futures

        n_workers = _n_workers(client)
        done = as_completed(
            hand_out(n_workers), loop=client.loop, with_results=True, raise_errors=False
        )
        for batch in done.batches():
            for future, result in batch:
                index = under_way.pop(future.key)
                if future.status == "cancelled":
                    raise _lost(scheduler, len(under_way) + 1)
                if future.status == "error":
                    result = Outcome(index, None, _told(future.exception()))
                yield result
            if len(under_way) <= n_workers:
                try:
                    n_workers = _n_workers(client)
                except OSError as error:
                    raise _lost(scheduler, len(under_way)) from error
                done.update(hand_out(n_workers))


def _n_workers(client: Any) -> int:
    """Return how many workers there are now, 1 while they are being replaced."""
    threads = client.nthreads()
    for worker, n in threads.items():
        if n > 1:
            raise ValueError(
                f"worker {worker} must have one thread, since numbers drawn by one would show in "
                f"another, got {n}: start it with --nthreads 1"
            )
    return max(1, len(threads))


def _lost(scheduler: str, n_points: int) -> WorkersLost:
    return WorkersLost(f"lost the scheduler {scheduler} with {n_points} points under way")


def _told(error: BaseException) -> str:
    """Return what keeps a worker from calling the function, as what the function raises is told.

    Raises:
        _OtherBuild: when the worker itself is wrong, whatever the point.
    """
    if isinstance(error, _OtherBuild):
        raise error
    return "".join(traceback.format_exception_only(error))


def _build() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "vaebook": vaebook.__version__,
    }


def _check_build(wanted: dict[str, str]) -> bool:
    if _build() != wanted:
        raise _OtherBuild(
            f"a worker on {platform.node()} (process {os.getpid()}) has {_build()}, and who asks "
            f"it has {wanted}"
        )
    return True


def _on_worker(
    build: dict[str, str], function: Callable[..., Any], index: int, point: Point
) -> Outcome:
    _check_build(build)  # it may have joined later than the others
    return _in_worker(function, index, point)


def _in_child(parent: int, function: Callable[..., Any], index: int, point: Point) -> Outcome:
    if os.getpid() == parent:  # joblib makes no processes where it may not
        return _in_this(function, index, point)
    _end_with(parent)
    return _in_worker(function, index, point)


@cache
def _end_with(parent: int) -> None:
    """End this process soon after its parent, which may be killed and can't tell it."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _in_this(function: Callable[..., Any], index: int, point: Point) -> Outcome:
    with _one_thread():
        return _call(function, index, point)


def _in_worker(function: Callable[..., Any], index: int, point: Point) -> Outcome:
    from joblib.externals.loky.backend.reduction import dumps

    _limit_threads()
    outcome = _call(function, index, point)
    try:
        dumps(outcome.value)
    except Exception:
        return Outcome(index, None, traceback.format_exc())
    return outcome


def _call(function: Callable[..., Any], index: int, point: Point) -> Outcome:
    try:
        with _seeds(point):
            return Outcome(index, function(**point))
    except (Exception, SystemExit):
        return Outcome(index, None, traceback.format_exc())


@contextmanager
def _seeds(point: Point) -> Iterator[None]:
    """Seed what draws without a generator: what ran before in this process must not show."""
    text = json.dumps(dict(point), sort_keys=True, default=describe)
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
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
def _limit_threads() -> None:
    """Give this process one thread for good; once, as a search for libraries takes a while."""
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1)


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
