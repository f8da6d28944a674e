"""Run one submission in a process of its own, under limits, and tell what its tests said.

The submission's own code cells run first, in order. Then each test of the *master* runs on a copy
of what they left behind. The process has a time limit for each cell and one for the whole, a
memory limit, an empty folder to work in and nothing to read from; it has the rights of whoever
started it, and the network. So it stops accidents, not attacks: see the instructor's guide.
"""

__all__ = ["Limits", "Outcome", "Plan", "run"]

import contextlib
import io
import multiprocessing
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

try:
    import resource
except ImportError:  # Windows has no limits of this kind
    resource = None  # type: ignore[assignment]

# A child that is forked from a process which has these already starts in milliseconds.
for _name in ("numpy", "torch", "scipy.stats"):
    with contextlib.suppress(ImportError):
        __import__(_name)

_LONGEST_OUTPUT = 4_000  # characters of a cell that go into the feedback
_LONGEST_START = 120.0  # seconds: where a child cannot be forked, it imports torch first


@dataclass(frozen=True)
class Limits:
    """Seconds for a cell and for a submission; bytes of memory beyond what the libraries take."""

    cell: float = 15.0
    submission: float = 90.0
    memory: int = 2 * 2**30


@dataclass(frozen=True)
class Plan:
    """What is to run: (name, source) of the cells, then of the tests, and the seed of these."""

    cells: list[tuple[str, str]]
    helpers: str
    tests: list[tuple[str, str]]
    seed: int


@dataclass
class Outcome:
    """What came of it: an error for each test, empty where it passed, and remarks on cells."""

    errors: dict[str, str]
    remarks: list[str] = field(default_factory=list)
    output: str = ""
    seconds: float = 0.0


class _TimeUp(BaseException):
    """No `except Exception` of a submission shall catch it."""


def run(plan: Plan, limits: Limits | None = None) -> Outcome:
    """Run a plan in a child process; whatever it does, an outcome comes back in time."""
    limits = limits or Limits()
    forks = "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"
    context = multiprocessing.get_context("fork" if forks else "spawn")
    here, there = context.Pipe(duplex=False)
    outcome = Outcome({name: "not run" for name, _ in plan.tests})
    start = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        child = context.Process(  # type: ignore[attr-defined]  # each of the two contexts has it
            target=_child, args=(plan, limits, folder, there), daemon=False
        )
        child.start()
        there.close()
        if here.poll(_LONGEST_START):
            # The limits count from the child's first message on.
            start = time.monotonic()
        ended = _listen(here, outcome, start + limits.submission, 2 * limits.cell + 5)
        _kill(child.pid)
        child.join()
    if not ended:
        reason = _reason(child.exitcode, time.monotonic() - start >= limits.submission)
        outcome.remarks.append(reason)
        for name, error in outcome.errors.items():
            if error == "not run":
                outcome.errors[name] = f"not run: {reason}"
    outcome.seconds = time.monotonic() - start
    return outcome


def _listen(pipe: Connection, outcome: Outcome, deadline: float, patience: float) -> bool:
    """Take messages until the child says it is done; False when it died or time ran out."""
    while (left := min(patience, deadline - time.monotonic())) > 0 and pipe.poll(left):
        try:
            kind, name, text = pipe.recv()
        except (EOFError, OSError):
            return False
        if kind == "done":
            return True
        if kind == "test" and name in outcome.errors:
            outcome.errors[name] = text
        elif kind == "remark":
            outcome.remarks.append(f"{name}: {text}")
        elif kind == "output":
            outcome.output += text
    return False


def _reason(exitcode: int | None, late: bool) -> str:
    if late or exitcode == -signal.SIGTERM or (os.name == "posix" and exitcode == -9):
        return "the notebook did not stop in time, or used too much memory, and was ended"
    return f"the notebook ended the process it ran in (exit status {exitcode})"


def _kill(pid: int | None) -> None:
    """End the child and whatever it has started."""
    if pid is None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError, OSError):
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


# ---------------------------------------------------------------------------------------------
# In the child


def _child(plan: Plan, limits: Limits, folder: str, pipe: Connection) -> None:
    _settle(limits, folder)
    pipe.send(("ready", "", ""))
    os.environ["ASSIGNMENT_SEED"] = str(plan.seed)
    namespace: dict[str, Any] = {"__name__": "__main__", "get_ipython": _NoMagic}
    for name, source in plan.cells:
        error, output = _execute(name, source, namespace, limits.cell)
        if error:
            pipe.send(("remark", name, error))
        if output:
            pipe.send(("output", name, output))
    for name, source in plan.tests:
        # A copy, and the helpers anew: no test sees what another left, or what a cell overwrote.
        own = dict(namespace)
        error, output = _execute("helpers", plan.helpers, own, limits.cell)
        if not error:
            error, output = _execute(name, source, own, limits.cell)
        pipe.send(("test", name, error))
    pipe.send(("done", "", ""))


def _settle(limits: Limits, folder: str) -> None:
    """A process group, an empty folder, no input, no window, limited memory and files."""
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    os.chdir(folder)
    os.environ.update(HOME=folder, MPLBACKEND="Agg", MPLCONFIGDIR=folder)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - for as long as we live
    if resource is not None:
        for kind, amount in (
            (resource.RLIMIT_AS, _address_space() + limits.memory),
            (resource.RLIMIT_FSIZE, 100 * 2**20),
            (resource.RLIMIT_CORE, 0),
        ):
            with contextlib.suppress(ValueError, OSError):  # macOS knows no RLIMIT_AS
                resource.setrlimit(kind, (amount, amount))
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def _address_space() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 8 * 2**30


class _NoMagic:
    """Stands where IPython would: commands of the notebook are left out, not run."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


def _execute(name: str, source: str, namespace: dict[str, Any], limit: float) -> tuple[str, str]:
    """Run a cell; return its error, empty if none, and what it printed."""
    printed = io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            _alarm(limit),
        ):
            exec(compile(_without_magic(source), f"<{name}>", "exec"), namespace)
        error = ""
    except _TimeUp:
        error = f"took longer than {limit:g} s"
    except SyntaxError as exception:
        error = f"SyntaxError: {exception.msg} (line {exception.lineno} of the cell)"
    except AssertionError as exception:
        error = str(exception) or "AssertionError: " + _line(exception, source)
    except NotImplementedError:
        error = "not written yet"
    except BaseException as exception:
        # SystemExit and KeyboardInterrupt as well: a cell must not end the others' run.
        error = f"{type(exception).__name__}: {exception} {_line(exception, source)}"
    return error.strip()[:1_000], printed.getvalue()[:_LONGEST_OUTPUT]


def _line(exception: BaseException, source: str) -> str:
    """Where in a cell the error was raised."""
    frames = [f for f in traceback.extract_tb(exception.__traceback__) if f.filename[:1] == "<"]
    return f"(line {frames[-1].lineno} of {frames[-1].filename[1:-1]})" if frames else ""


def _without_magic(source: str) -> str:
    """`%matplotlib inline` and `!pip …` become calls of the object that ignores them."""
    if not any(line.lstrip()[:1] in ("%", "!", "?") for line in source.splitlines()):
        return source
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager().transform_cell(source)


@contextlib.contextmanager
def _alarm(limit: float) -> Iterator[None]:
    """Raise in the running code after `limit` seconds, and again each second after that."""
    if not hasattr(signal, "setitimer"):
        yield  # Windows: only the limit of the whole submission
        return

    def ring(*_: object) -> None:
        raise _TimeUp

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
