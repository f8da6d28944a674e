"""Run a student's notebook where it can do no harm, and let the master's tests call it from here.

The notebook runs in a process that has never seen a master, a test or another submission; with
bubblewrap in namespaces of its own, so that it sees no network, no process of others, and of the
disk only Python, the book's package and an empty folder. What passes between it and the grader is
data (`wire`), and whether an answer is right is decided here (`judge`). The instructor's guide
says what that stops and what not; each line of it has an attack in the tests.
"""

__all__ = ["PACKAGE", "Limits", "Lost", "Outcome", "Plan", "close", "lacks", "run"]

import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import bank
import memory
import syscalls
from judge import Exam
from wire import Closed, Line, Peer, TimeUp, hide

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "vaebook"  # students' notebooks load its models
_LIBRARIES = (
    "numpy",
    "scipy.stats",
    "scipy.optimize",
    "scipy.integrate",
    "scipy.ndimage",
    "sklearn.datasets",
    "torch",
    "vaebook.datasets",
    "vaebook.recipes",
)
# Each cell and each test is a fork, into which threads do not follow: who waits for them waits for
# ever. So there are none, whatever a cell asks for, or, with workqueue, new ones in each fork.
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OMP_THREAD_LIMIT": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "JOBLIB_MULTIPROCESSING": "0",
    "NUMBA_THREADING_LAYER": "workqueue",
}
_START = 120.0  # seconds that importing them may take
_NOBODY = 65534
_MANY = 4  # times the processes that the system should allow
_NOT_RUN = "not run"
_NO_ANSWER = ("not written yet", "took longer", "ended the process", "too much memory")


class Lost(RuntimeError):
    """The sandbox or the judge itself has failed, which says nothing of the submission."""


@dataclass(frozen=True)
class Limits:
    """What a cell, a test and a whole submission may take.

    Attributes:
        processor: seconds of the processor for a cell or a test.
        clock: seconds by the clock for one, as a busy machine is slow and some code sleeps.
        submission: seconds by the clock for all.
        memory: bytes of a process beyond what the libraries take.
        total: bytes of all processes together beyond what the libraries take.
        processes: at a time, beside one for each cell; None where it cannot be limited.
    """

    processor: float = 15.0
    clock: float = 120.0
    submission: float = 600.0
    memory: int = 2 * 2**30
    total: int = 3 * 2**30
    processes: int | None = 32


@dataclass(frozen=True)
class Plan:
    """What is to run: (name, source) of a student's cells, the master's code, the seed."""

    cells: list[tuple[str, str]]
    exam: Exam
    seed: int


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        errors: what each test said, nothing where it passed.
        details: what is to be learnt of a failure, on other inputs than the test's own.
        remarks: on cells.
        output: what cells printed.
        late: whether time ran out somewhere.
        seconds: by the clock.
    """

    errors: dict[str, str]
    details: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    output: str = ""
    late: bool = False
    seconds: float = 0.0

    @property
    def n_failed(self) -> int:
        """How many tests it has not passed."""
        return sum(map(bool, self.errors.values()))


def run(plan: Plan, limits: Limits | None = None) -> Outcome:
    """Run a plan; whatever it does, an outcome comes back in time.

    What ran out of time is run a second time, since a machine may just have been busy, and the
    better of the two counts. Where the sandbox itself ended, as when the system lacks memory, a
    new one tries again.

    Raises:
        Lost: when that one ends as well.
    """
    limits = limits or Limits()
    try:
        outcome = _once(plan, limits)
    except Lost:
        outcome = _once(plan, limits)
    if outcome.late:
        again = _once(plan, replace(limits, clock=2 * limits.clock))
        outcome = min(outcome, again, key=lambda found: found.n_failed)
    return outcome


def _once(plan: Plan, limits: Limits) -> Outcome:
    start = time.monotonic()
    outcome = Outcome(dict.fromkeys(plan.exam.tests, _NOT_RUN))
    with _notebook() as connection, _sandboxes[0].watched(limits, len(plan.cells)) as ended:
        line = Line(connection, start + limits.submission)
        try:
            rebound = _run_cells(line, plan, limits, outcome)
            for test in plan.exam.tests:
                outcome.errors[test] = _run_test(line, plan, test, limits, outcome, rebound)
        except TimeUp:
            outcome.late = True
            long = f"took longer than {limits.submission:g} s by the clock"
            outcome.remarks.append(f"the notebook {long} in all and was ended")
            untried = [test for test, error in outcome.errors.items() if error == _NOT_RUN]
            outcome.errors |= dict.fromkeys(untried, f"not run: the notebook {long}")
        except (Closed, OSError):
            outcome.remarks.append("the notebook ended the process it ran in")
        except MemoryError as error:
            raise Lost(f"the grader itself has too little memory: {error}") from None
    if ended["memory"]:
        outcome.remarks.append(f"{ended['memory']} processes were ended that took too much memory")
    if ended["number"]:
        outcome.remarks.append("the notebook started too many processes and was ended")
    outcome.seconds = time.monotonic() - start
    return outcome


def _run_cells(line: Line, plan: Plan, limits: Limits, outcome: Outcome) -> bool:
    """Run the cells; return whether what is given means something else at the end."""
    allowed = asdict(limits)
    if not _walled() or limits.processes is None:
        allowed["processes"] = None
    else:
        allowed["processes"] = limits.processes + len(plan.cells)
    given = [name for name, source in plan.cells if source in plan.exam.given]
    line.send({"cells": plan.cells, "given": given, "limits": allowed})
    for _ in range(len(plan.cells) + 1):
        said = line.receive()
        if said.get("cells") == "done":
            return bool(said.get("rebound"))
        name, error, output = (str(said.get(key, "")) for key in ("cell", "error", "output"))
        if error:
            outcome.remarks.append(f"{name[:100]}: {error[:1_000]}")
        outcome.output += output[:4_000]
        outcome.late |= bool(said.get("late")) or "took longer" in error
    raise Closed("more cells than there are")


def _run_test(
    line: Line, plan: Plan, test: str, limits: Limits, outcome: Outcome, rebound: bool
) -> str:
    """Run a test, and if it fails once more with what earlier parts should have been.

    So a mistake costs the tests of its own part only; and a name like `model`, which a later cell
    took for something else, costs nothing, as what was given is then tried as well. What is told
    of a mistake in detail are other inputs than the test's own.
    """
    attempt = functools.partial(_try, line, plan, test, limits, outcome)
    error = attempt(Exam.judge, [])
    # Functions that do not end, or end their process, are not asked of what kind an answer is.
    asked = not any(said in error for said in _NO_ANSWER)
    earlier = plan.exam.earlier(test)
    again = (False,) * bool(earlier) + (True,) * rebound
    for restored in again:
        if not error:
            break
        other = attempt(Exam.judge, earlier, asked, restored)
        # What is not written yet may be an earlier part; of the others the first error is told.
        if not other or error == "not written yet":
            error = other
    outcome.late |= "took longer" in error
    if error and not any(said in error for said in _NO_ANSWER):
        told = attempt(bank.explain, earlier, asked)
        if told and not any(said in told for said in _NO_ANSWER):
            outcome.details[test] = told
    return error.partition("\n")[0]


def _try(
    line: Line,
    plan: Plan,
    test: str,
    limits: Limits,
    outcome: Outcome,
    ask: Callable[..., str],
    replaced: list[str],
    asked: bool = True,
    restored: bool = False,
) -> str:
    names = plan.exam.tested(test)
    here, there = socket.socketpair()
    with here:
        with there:
            line.connection.settimeout(limits.clock)
            socket.send_fds(line.connection, [b"t"], [there.fileno()])
        own = Line(here, min(line.deadline, time.monotonic() + limits.clock))
        peer = Peer(own, plan.exam.right(test) if replaced else {})
        functions = {name: peer.function(name) for name in names}
        try:
            order = {"functions": names, "replaced": replaced}
            own.send(order | {"asked": asked, "restored": restored})
            with memory.bounded(limits.memory):
                error = ask(plan.exam, test, plan.seed, functions)
        except MemoryError:
            if not memory.has(limits.memory):  # then it is the system's fault
                raise
            error = "what it returned took too much memory"
        except TimeUp:
            if time.monotonic() >= line.deadline:
                raise
            error = f"took longer than {limits.clock:g} s by the clock"
        except Closed as closed:
            error = f"ended the process it ran in, or took longer than it may: {closed}"
    return error


# ---------------------------------------------------------------------------------------------
# The walls


# What a submission can do where there is no bubblewrap.
_OPEN = (
    "read masters, other submissions and your files",
    "change your files",
    "use the network, and reach programs on your machine",
    "see or end other processes of yours",
    "make calls of the kernel in which faults have been",
    "fill memory with files in it",
    "start processes without limit",
)
# And where the system is not Linux.
_OPENER = (
    "take all memory",
    "read and change the memory of the grader",
    "leave processes that run on",
)


@functools.cache
def lacks() -> list[str]:
    """Say what this system does not offer: each thing that a submission may do for want of it."""
    if not sys.platform.startswith("linux"):
        return [f"submissions can {what} (this is no Linux)" for what in (*_OPEN, *_OPENER)]
    if not _walled():
        installed = shutil.which("bwrap") is not None
        why = "may not make namespaces here" if installed else "is not installed"
        lines = [f"submissions can {what} (bubblewrap {why})" for what in _OPEN]
        if os.geteuid() == 0:
            lines.append(f"submissions can {_OPENER[1]} (you are root)")
        return lines
    lines = []
    if syscalls.filter_program() is None:
        lines.append(f"submissions can {_OPEN[4]} (libseccomp is not installed)")
    return lines


def _walled() -> bool:
    return _start() is not None


@functools.cache
def _start() -> dict[str, Any] | None:
    """How to start a process behind walls: as whom; nothing where that is not possible."""
    command = _wall()
    if command is None:
        return None
    users: list[dict[str, Any]] = [{}]
    if os.geteuid() == 0:  # better as nobody, if nobody may read where Python lies
        users.insert(0, {"user": _NOBODY, "group": _NOBODY, "extra_groups": []})
    for user in users:
        with _filter() as (option, files):
            tried = [*command, *option, sys.executable, "-I", "-c", ""]
            here: dict[str, Any] = {"cwd": "/", "pass_fds": files, **user}
            if not subprocess.run(tried, capture_output=True, check=False, **here).returncode:
                return user
    return None


@contextlib.contextmanager
def _filter() -> Iterator[tuple[list[str], list[int]]]:
    """Bubblewrap's option for the calls of the kernel that are refused, and the file it reads."""
    if (program := syscalls.filter_program()) is None:
        yield [], []
        return
    with open(os.memfd_create("program"), "w+b") as file:
        file.write(program)
        file.flush()
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        yield ["--seccomp", str(file.fileno())], [file.fileno()]


def _wall() -> list[str] | None:
    """The command that closes a process in, or nothing where there is no bubblewrap."""
    if (bwrap := shutil.which("bwrap")) is None:
        return None
    seen = [Path("/usr"), Path(sys.base_prefix), Path(sys.prefix)]
    links = ["/bin", "/sbin", "/lib", "/lib32", "/lib64"]
    command = [bwrap, "--unshare-all", "--die-with-parent", "--new-session", "--as-pid-1"]
    command += ["--unshare-user", "--uid", str(_NOBODY), "--gid", str(_NOBODY)]
    command += ["--cap-drop", "ALL", "--hostname", "sandbox", "--proc", "/proc", "--dev", "/dev"]
    for path in seen:
        command += ["--ro-bind", str(path), str(path)]
    for path in map(Path, links):
        if path.is_symlink():
            command += ["--symlink", os.readlink(path), str(path)]
        elif path.exists():
            command += ["--ro-bind", str(path), str(path)]
    command += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    if any(HERE.is_relative_to(path) for path in seen):  # the book in Python's own folder
        command += ["--tmpfs", str(HERE.parent)]
    for path in (HERE / "inside.py", HERE / "wire.py", PACKAGE):
        command += ["--ro-bind", str(path), f"/grader/{path.name}"]
    command += ["--size", str(50 * 2**20), "--tmpfs", "/dev/shm"]
    command += ["--size", str(200 * 2**20), "--tmpfs", "/tmp", "--dir", "/tmp/home"]
    return [*command, "--remount-ro", "/", "--chdir", "/tmp/home"]


class _Sandbox:
    """A process behind walls that has imported the libraries and runs notebooks."""

    def __init__(self) -> None:
        self.control, there = socket.socketpair()
        self.control.settimeout(_START)
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        walled = _walled()
        folder = "/grader" if walled else str(HERE)
        python = [sys.executable, "-I", "-B", f"{folder}/inside.py", str(there.fileno())]
        home = "/tmp/home" if walled else self.folder.name
        with there, _filter() as (option, files):
            wall = [*(_wall() or []), *option] if walled else []
            self.process = subprocess.Popen(
                [*wall, *python, ",".join(_LIBRARIES)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[there.fileno(), *files],
                cwd="/",
                start_new_session=True,
                # Nothing of the teacher's: tokens lie there.
                env={
                    "HOME": home,
                    "TMPDIR": home,
                    "PATH": "/usr/bin:/bin",
                    "LANG": "C.UTF-8",
                    "MPLBACKEND": "Agg",
                    "MPLCONFIGDIR": f"{home}/.matplotlib",
                    "IPYTHONDIR": f"{home}/.ipython",
                    **_ONE_THREAD,
                },
                **(_start() or {}),
            )
        self.pid = os.getpid()
        self.ended: Counter[str] = Counter()
        hide(True)
        try:
            self._expect(b"ready")
        except BaseException:
            self.close()
            raise

    @contextlib.contextmanager
    def watched(self, limits: Limits, n_cells: int) -> Iterator[Counter[str]]:
        """Watch what all that runs within takes of the memory, and how many they are."""
        spared, most = 1 + _walled(), None
        if _walled() and limits.processes is not None:
            most = _MANY * limits.processes + n_cells
        with memory.watched(self.process.pid, limits.total, spared, most) as self.ended:
            yield self.ended

    def _expect(self, word: bytes) -> None:
        try:
            said = self.control.recv(16)
        except OSError as error:
            said = str(error).encode()
        if said != word:
            raise Lost(f"the sandbox did not start: {said!r}")

    def clean(self) -> None:
        """End all processes of the last submission and remove its files.

        Raises:
            Lost: when the sandbox is no more.
        """
        if self.ended["number"]:
            raise OSError("it has been ended with all its processes")
        try:
            self.control.settimeout(15)
            self.control.send(b"x")
            said = self.control.recv(16)
        except OSError as error:
            raise Lost(f"the sandbox has ended: {error}") from None
        if said == b"stuck":  # a process that cannot be ended ends with the sandbox
            raise OSError("a process does not end")
        if said != b"clean":
            raise Lost("the sandbox has ended")

    def close(self) -> None:
        """End everything within."""
        self.control.close()
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.folder.cleanup()
        hide(False)


_sandboxes: list[_Sandbox] = []  # none, or that of this process


@contextlib.contextmanager
def _notebook():  # type: ignore[no-untyped-def]
    """A new notebook's socket; when it is left, nothing of the notebook remains."""
    if _sandboxes and _sandboxes[0].pid != os.getpid():
        _sandboxes.clear()  # a fork's parent's
    if not _sandboxes:
        _sandboxes.append(_Sandbox())
    sandbox = _sandboxes[0]
    here, there = socket.socketpair()
    try:
        with here:
            with there:
                try:
                    socket.send_fds(sandbox.control, [b"r"], [there.fileno()])
                except OSError as error:
                    raise Lost(f"the sandbox has ended: {error}") from None
            yield here
        sandbox.clean()
    except BaseException as error:
        sandbox.close()
        _sandboxes.clear()
        # What would not be ended has been ended with its sandbox.
        if not isinstance(error, OSError):
            raise


def close() -> None:
    """End the sandbox that waits for further submissions."""
    while _sandboxes:
        _sandboxes.pop().close()
