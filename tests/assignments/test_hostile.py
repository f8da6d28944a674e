"""What a submission may try against the grader, each line of the guide's table by an attack."""

import contextlib
import ctypes
import os
import platform
import re
import resource
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import masters
import memory
import sandbox
import wire
from tests.often import often

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent.parent


def only(exam: sandbox.Exam, *tests: str) -> sandbox.Exam:
    """The same with these tests, in this order; a fork for each is most of what a run takes."""
    return replace(exam, tests={test: exam.tests[test] for test in tests})


BETA = masters.masters()["5_beta"]
TESTS = ["beta-rate-1", "beta-rate-2"]
EXAM = only(BETA.exam, *TESTS)  # which speak for all
LIMITS = sandbox.Limits(processor=2.0, clock=20.0)

# What the system of whoever runs this does not offer is said, and not passed over.
walled = pytest.mark.skipif(not sandbox._walled(), reason="; ".join(sandbox.lacks()))
filtered = pytest.mark.skipif(
    any("calls of the kernel" in lack for lack in sandbox.lacks()), reason="no filter of calls"
)


@pytest.fixture(autouse=True, scope="module")
def no_sandbox_stays() -> Iterator[None]:
    """End what waits for further submissions."""
    yield
    sandbox.close()


def run(
    *cells: str, limits: sandbox.Limits = LIMITS, exam: sandbox.Exam = EXAM
) -> sandbox.Outcome:
    """What comes of a notebook with these cells."""
    named = [(f"cell {n}", cell) for n, cell in enumerate(["import numpy as np", *cells])]
    return sandbox.run(sandbox.Plan(named, exam, 0), limits)


def printed(code: str) -> str:
    """What a cell of a submission prints."""
    found = run(code)
    assert found.remarks == []
    return found.output


RIGHT = BETA.cells["beta-rate"].source
SHARED = Path("/dev/shm")

CHEATS = {
    "numpy is told that all is close": """
import numpy as np
np.allclose = np.isclose = lambda *a, **k: True
def rate(mu, logvar):
    return 0.0
""",
    "an object that equals everything": """
class Yes(float):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0
    __rsub__ = __sub__
def rate(mu, logvar):
    return Yes(0)
""",
    "an array that lies about itself": """
class Yes(np.ndarray):
    def __array_function__(self, *a, **k): return True
    def __array_ufunc__(self, *a, **k): return True
def rate(mu, logvar):
    return np.zeros(1).view(Yes)
""",
    "what is expected, from the frames of the caller": """
import sys
def rate(mu, logvar):
    frame = sys._getframe()
    while frame:
        if "expect" in frame.f_locals:
            return frame.f_locals["expect"]
        frame = frame.f_back
    return 0.0
""",
    "what is expected, from all objects in memory": """
import gc
def rate(mu, logvar):
    for thing in gc.get_objects():
        if isinstance(thing, dict) and "expect" in thing:
            return thing["expect"]
    for thing in gc.get_objects():
        if type(thing).__name__ in ("Exam", "Assignment", "Plan"):
            return thing.namespace()["rate"](mu, logvar)
    return 0.0
""",
    "the right function, asked of the grader": """
import gc
def rate(mu, logvar):
    for thing in gc.get_objects():
        if hasattr(type(thing), "function") and type(thing).__name__ == "_Student":
            return thing.function("rate")(mu, logvar)
    return 0.0
""",
    "lines of results, written into every open file": """
import json, os, struct
def rate(mu, logvar):
    for said in ({"test": "beta-rate-1", "error": ""}, {"result": None}, {"raised": []}):
        data = json.dumps(said).encode()
        for file in range(3, 40):
            try:
                os.write(file, struct.pack("!Q", len(data)) + data)
            except OSError:
                pass
    return 0.0
""",
    "a pickle for an answer": """
class Bomb:
    def __reduce__(self):
        return (exec, ("import bank",))
def rate(mu, logvar):
    return np.array([Bomb()], dtype=object)
""",
    "an exception that a test would let pass": """
def rate(mu, logvar):
    raise StopIteration("all is well")
""",
    "the judge's own module, changed": """
import sys, types
sys.modules["judge"] = types.ModuleType("judge")
def rate(mu, logvar):
    import wire
    wire.Peer._answer = lambda *a: None
    return 0.0
""",
    "half a message, and silence": """
import os, signal, struct
def rate(mu, logvar):
    signal.signal(signal.SIGPROF, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    for file in range(3, 40):
        try:
            os.write(file, struct.pack("!Q", 1000) + b"{")
        except OSError:
            pass
    while True:
        pass
""",
    "a message longer than all memory": """
import os, struct
def rate(mu, logvar):
    for file in range(3, 40):
        try:
            os.write(file, struct.pack("!Q", 2**62))
        except OSError:
            pass
    return 0.0
""",
}


@pytest.mark.parametrize("trick", CHEATS)
def test_a_trick_earns_nothing(trick: str) -> None:
    # Some say nothing until their time is up, in each test and again in the second try.
    limits = replace(LIMITS, clock=3.0)
    if trick == "half a message, and silence":
        # In the second try the system ends by its own limit of 3 s who does not hear that his
        # processor's time is over. The others have time to succeed.
        limits = replace(LIMITS, processor=0.3, clock=2.0)
    errors = run(CHEATS[trick], limits=limits).errors
    assert all(errors[test] for test in TESTS)


def test_an_answer_of_more_values_than_there_are_is_not_unpacked() -> None:
    here, there = socket.socketpair()
    answer: dict[str, Any] = {"result": [[]] * (wire.MOST + 2)}  # many times that in memory
    sender = threading.Thread(target=wire.Line(there).send, args=[answer])
    sender.start()
    with here, there:
        with pytest.raises(wire.Closed, match="values"):
            wire.Line(here).receive()
        sender.join()


@pytest.mark.parametrize("shape", [[0, 0, 50_000_000], [0, 10**12], [50_000_000, 0, 1]])
def test_an_answer_without_values_has_no_shape_that_takes_memory(shape: list[int]) -> None:
    data: dict[str, Any] = {"kind": "array", "dtype": "<f8", "shape": shape, "bytes": ""}
    here, there = socket.socketpair()
    with here, there:
        peer = wire.Peer(wire.Line(here), {})
    with pytest.raises(wire.Closed, match="without values"):
        peer._decode(data)
    assert peer._decode(data | {"shape": [0, 3]}).shape == (0, 3)


def heatmaps(solution: str, memory: int) -> str:
    """What is told of a solution that has the grader's heatmap, as its own is wrong."""
    exam = only(masters.masters()["4_heatmaps"].exam, "heatmaps-invalidity-1")
    wrong = "import numpy as np\ndef heatmap(*a): return np.zeros((1, 1))\n"
    cells = [("a", wrong + "def invalidity(image, extent):\n    return " + solution)]
    limits = replace(LIMITS, memory=memory)
    return sandbox.run(sandbox.Plan(cells, exam, 0), limits).details["heatmaps-invalidity-1"]


def test_what_a_student_asks_of_the_graders_functions_takes_no_more_memory_than_it_may() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    asked = "heatmap(1.0, 1.0, 0.0, {}, 3.0)[0, 0]"
    assert "MemoryError" in heatmaps(asked.format(9_000), 400 * 2**20)
    assert "bytes at a time" in heatmaps(asked.format(3_000), 2**30)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_an_answer_that_the_judge_cannot_hold_is_wrong_and_no_fault_of_the_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As a comparison that multiplies the axes of an answer would take it.
    monkeypatch.setattr(sandbox.Exam, "judge", lambda *_: str(bytes(2**30)))
    plan = sandbox.Plan([("a", RIGHT)], only(BETA.exam, "beta-rate-1"), 0)
    limits = replace(LIMITS, memory=500 * 2**20)
    assert "too much memory" in sandbox.run(plan, limits).errors["beta-rate-1"]
    monkeypatch.setattr(memory, "has", lambda _: False)
    with pytest.raises(sandbox.Lost, match="the grader itself has too little memory"):
        sandbox.run(plan, limits)


def test_what_numpy_warns_of_in_an_answer_is_not_said_to_the_teacher(
    recwarn: pytest.WarningsRecorder,
) -> None:
    exam = masters.masters()["1_elbo"].exam
    assert exam.judge(
        "elbo-reparameterise-1", 0, {"reparameterise": lambda *_: np.ones((0, 0, 3))}
    )
    assert not recwarn.list


@walled
def test_masters_home_and_system_are_out_of_sight() -> None:
    files = [ROOT / "assignments" / "judge.py", ROOT / "README.md", Path("/etc/passwd")]
    folders = [ROOT / "assignments" / "source", Path.home(), Path("/var")]
    assert all(path.exists() for path in (*files, *folders))
    code = "import os\nfor path in {}: print(os.path.{}(path) and os.{}(path))"
    seen = printed(code.format([*map(str, files)], "exists", "path.isdir")).split("\n")
    assert seen == ["False"] * len(files) + [""]
    *seen, _ = printed(code.format([*map(str, folders)], "exists", "listdir")).split("\n")
    assert len(seen) == len(folders)
    assert {*seen} <= {"False", "['.pyenv']", "[]"}  # of a home, no more than the way to Python


@walled
def test_a_neighbours_notebook_is_out_of_reach(tmp_path: Path) -> None:
    neighbour = tmp_path / "1_elbo.ipynb"
    neighbour.write_text("untouched", encoding="utf-8")
    run(f"open({str(neighbour)!r}, 'w').write('changed')")
    assert neighbour.read_text(encoding="utf-8") == "untouched"
    assert "True" not in printed(f"import os\nprint(os.path.exists({str(neighbour)!r}))")


def test_the_environment_is_empty_of_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.close()
    monkeypatch.setenv("GRADER_TOKEN", "a secret")
    said = printed("import os\nprint(dict(os.environ))")
    assert "HOME" in said
    assert "secret" not in said
    # Within walls it is the sandbox's own first process, without them one that may not be read.
    assert "secret" not in run("print(open('/proc/1/environ').read())").output


@walled
def test_there_is_no_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        found = run(f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1)")
        assert "refused" in found.remarks[0] or "unreachable" in found.remarks[0]
        with pytest.raises(TimeoutError):
            server.accept()


@walled
def test_no_process_of_others_can_be_seen_or_ended() -> None:
    said = printed("import os\nprint([p for p in os.listdir('/proc') if p.isdigit()])")
    assert str(os.getpid()) not in said
    assert "ProcessLookupError" in run(f"import os\nos.kill({os.getpid()}, 9)").remarks[0]


@walled
def test_the_process_that_runs_the_next_submission_cannot_be_rewritten() -> None:
    for file, mode in (("mem", "r+b"), ("maps", "r"), ("environ", "r")):
        assert "PermissionError" in run(f"open('/proc/1/{file}', {mode!r})").remarks[0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone has it")
def test_no_process_of_the_same_user_can_read_the_graders_memory_while_it_grades() -> None:
    readable = ctypes.CDLL(None).prctl
    run("1")
    assert readable(3, 0, 0, 0, 0) == 0
    sandbox.close()
    assert readable(3, 0, 0, 0, 0) == 1


@walled
def test_nothing_but_its_own_folder_can_be_written() -> None:
    for path in (sys.prefix, "/usr", "/", "/grader"):
        assert "Error" in run(f"open({path + '/mark'!r}, 'w')").remarks[0]
    assert printed("open('mark', 'w').write('x')\nprint('written')").strip().endswith("written")


@pytest.mark.skipif(not SHARED.is_dir(), reason="shared memory is elsewhere")
def test_what_other_programs_keep_in_shared_memory_stays() -> None:
    left = SHARED / f"left-{os.getpid()}"
    printed("1")
    other = SharedMemory(create=True, size=8)
    try:
        printed(f"open('{left}', 'w').close()")
        assert (SHARED / other.name).exists()
        assert not left.exists()
    finally:
        other.close()
        with contextlib.suppress(FileNotFoundError):
            other.unlink()


@pytest.mark.skipif(not Path("/proc/sysvipc/shm").exists(), reason="the system has none")
def test_a_segment_of_system_v_is_removed_and_those_of_others_stay() -> None:
    libc, key = ctypes.CDLL(None), os.getpid()
    printed("1")
    own = libc.shmget(0, 4096, 0o1600)
    try:
        printed(f"import ctypes\nprint(ctypes.CDLL(None).shmget({key}, 4096, 0o1600))")
        assert libc.shmget(key, 4096, 0) == -1
        assert libc.shmctl(own, 2, ctypes.create_string_buffer(256)) == 0  # it can be looked at
    finally:
        libc.shmctl(own, 0, None)


def test_what_one_submission_leaves_the_next_does_not_find() -> None:
    run("import os, tempfile\nopen('left', 'w').write('x')\nopen('/tmp/left', 'w').write('x')")
    said = printed("import os\nprint(os.path.exists('left') or 'left' in globals())")
    assert said.strip() == "False"
    run("import numpy, builtins\nnumpy.mean = None\nbuiltins.trick = 1")
    assert printed("print(np.mean([1.0]), 'trick' in dir(__builtins__))").strip() == "1.0 False"


LATER = """
import _thread, threading, time
def later():
    time.sleep(0.5)
    while True:
        globals()["rate"] = lambda mu, logvar: 0.0
        time.sleep(0.001)
"""


LATER_BY = [
    "_thread.start_new_thread(later, ())",  # Python itself knows nothing of it
    "threading.Thread(target=later, daemon=True).start()",
]


@pytest.mark.parametrize("start", often(LATER_BY, 1))
def test_no_thread_answers_for_a_cell_or_changes_a_function_between_tests(start: str) -> None:
    # One that is waited for, as long as the others, changes it in time, and is a cell like others.
    found = run(RIGHT, LATER + start, "time.sleep(1.0)\n" + RIGHT, "time.sleep(1.0)")
    assert found.remarks == []
    assert not any(found.errors[test] for test in TESTS)


def test_a_process_that_takes_the_orders_of_the_notebook_earns_nothing() -> None:
    steals = """
import gc, os, socket, sys
def orders(connection):
    right = None
    while True:
        _, files, *_ = socket.recv_fds(connection, 1, 1)
        line = sys.modules["wire"].Line(socket.socket(fileno=files[0]))
        order = line.receive()
        peer = sys.modules["wire"].Peer(line, {})
        if "rate" in order["replaced"]:
            right = peer.function("rate")
        peer._offers = {n: lambda *a: right(*a) if right else 0.0 for n in order["functions"]}
        try:
            peer.serve()
        except BaseException:
            pass
lines = [one for one in gc.get_objects() if type(one).__name__ == "Line"]
for line in lines:
    if os.fork() == 0:
        try:
            orders(line.connection)
        finally:
            os._exit(0)
"""
    # Tests of later parts hand out the right function. Whether the thief or the notebook takes an
    # order is chance, so that there are some.
    later = ("beta-distortion-1", "beta-active-1", "beta-active-2")
    assert all("rate" in BETA.exam.earlier(test) for test in later)
    exam = only(BETA.exam, *later, *TESTS)
    errors = run(steals, limits=replace(LIMITS, clock=2.0), exam=exam).errors
    assert all(errors[test] for test in TESTS)


@walled
@pytest.mark.parametrize(
    "code",
    [
        "for _ in range(1500):\n    os.mkdir('d')\n    os.chdir('d')",
        "os.makedirs('d/d')\nopen('d/d/f', 'w').close()\nos.chmod('d/d', 0)\nos.chmod('d', 0)",
    ],
    ids=["deep", "locked"],
)
def test_folders_that_are_hard_to_remove_are_removed(code: str) -> None:
    assert run("import os\n" + code, RIGHT).remarks == []
    assert printed("import os\nprint(os.path.lexists('d'))").strip() == "False"


@walled
@pytest.mark.parametrize(
    "code",
    [
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(1000)",
        "!setsid sleep 1000 &",
        "import os\nfor _ in range(4):\n    if os.fork() == 0:\n        while True: pass",
    ],
)
def test_processes_do_not_outlive_their_submission(code: str) -> None:
    count = "import os\nprint(sum(p.isdigit() for p in os.listdir('/proc')))"
    before = printed(count)
    run(code)
    assert printed(count) == before


@walled
def test_processes_without_number_are_ended_and_the_next_submission_runs() -> None:
    # A bounded one, so that whoever breaks this may still stop it.
    code = "import os, time\nfor _ in range(60):\n    if os.fork() == 0:\n        os.setsid()\n"
    code += "        time.sleep(1000)"
    found = run(code, limits=replace(LIMITS, processes=8))
    assert found.remarks  # by the system, or as root by the grader
    assert not run(RIGHT).errors["beta-rate-1"]


def test_files_and_memory_have_a_limit() -> None:
    large = "with open('x', 'wb') as f:\n    f.write(bytes(30 * 2**20))"
    assert run(large).remarks
    assert "MemoryError" in run("np.ones((2**16, 2**16))").remarks[0]


def test_many_processes_share_one_limit_of_memory_and_the_next_cell_runs() -> None:
    greedy = """
import os, time
children = []
for _ in range(6):
    child = os.fork()
    if child == 0:
        kept = bytearray(300 * 2**20)
        for page in range(0, len(kept), 4096):
            kept[page] = 1
        time.sleep(20)
        os._exit(0)
    children.append(child)
ended = set()
for _ in range(150):
    time.sleep(0.1)
    ended |= {child for child in children if child not in ended and os.waitpid(child, 1)[0]}
    if len(ended) == 3:
        break
for child in set(children) - ended:
    os.kill(child, 9)
print("ended", len(ended))
"""
    limits = replace(LIMITS, processor=5.0, total=2**30)
    cells = [("a", "import numpy as np"), ("b", greedy), ("c", RIGHT)]
    found = sandbox.run(sandbox.Plan(cells, EXAM, 0), limits)
    (ended,) = re.findall(r"ended (\d)", found.output)
    assert int(ended) >= 3
    assert "took too much memory" in found.remarks[-1]
    assert not found.errors["beta-rate-1"]


def test_memory_that_forks_share_is_counted_once() -> None:
    cells = [("a", "import numpy as np\nkept = np.ones(300 * 2**17)"), ("c", RIGHT)]
    cells[1:1] = [(f"b{n}", "kept[0] += 1") for n in range(10)]
    limits = replace(LIMITS, total=2**30)
    found = sandbox.run(sandbox.Plan(cells, EXAM, 0), limits)
    assert found.remarks == []
    assert not found.errors["beta-rate-1"]


def test_what_is_forked_lies_in_large_pages() -> None:
    release = tuple(map(int, re.findall(r"\d+", platform.release())[:2]))
    if release < (6, 1) or not Path("/sys/kernel/mm/transparent_hugepage").exists():
        pytest.skip("this system does not join pages")
    (found,) = re.findall(r"AnonHugePages: +(\d+)", printed("!cat /proc/$$PPID/smaps_rollup"))
    assert int(found) > 50 * 2**10, "are there large pages to be had?"


@walled
@pytest.mark.parametrize("place", ["/dev/shm", "/tmp"])
def test_files_in_memory_have_a_limit_together(place: str) -> None:
    code = f"""
written = 0
try:
    for n in range(30):
        with open(f"{place}/{{n}}", "wb") as file:
            written += file.write(bytes(15 * 2**20))
except OSError:
    print("ended", written // 2**20)
"""
    assert 0 < int(printed(code).split()[-1]) <= 210


REFUSED = [
    "os.memfd_create('x')",
    "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "called(libc.unshare(0x10000000))",
    "called(libc.ptrace(0, 0, 0, 0))",
    "called(libc.mount(b'x', b'/tmp', b'tmpfs', 0, 0))",
    "called(libc.shmget(0, 4096, 0o1600))",
]
# By the numbers of x86_64: userfaultfd, io_uring_setup, bpf, and clone as another user.
NUMBERED = ["323, 0", "425, 1, 0", "321, 0, 0, 0", "56, 0x10000000 | 17, 0, 0, 0, 0"]


@filtered
def test_what_no_notebook_asks_of_the_kernel_is_refused() -> None:
    known = NUMBERED if platform.machine() == "x86_64" else []
    calls = [*REFUSED, *(f"called(libc.syscall({numbers}))" for numbers in known)]
    given = """
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def called(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
"""
    remarks = run(given, *calls).remarks
    refused = [f"cell {n}" for n, _ in enumerate(calls, 2)]
    assert [said.partition(":")[0] for said in remarks] == refused
    assert all("Operation not permitted" in said for said in remarks), remarks


def test_the_end_of_the_sandbox_costs_nobody_a_point(monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.close()
    monkeypatch.setattr(sandbox, "_LIBRARIES", ("numpy",))  # which is soon there again
    cells = [("a", "import time, numpy as np; time.sleep(0.5)"), ("b", RIGHT)]
    plan = sandbox.Plan(cells, EXAM, 0)
    told = sandbox._run_cells
    killed: list[int] = []

    def kill(*arguments: Any) -> bool:
        if len(killed) < deaths:
            killed.append(sandbox._sandboxes[0].process.pid)
            threading.Timer(0.2, os.killpg, (killed[-1], signal.SIGKILL)).start()
        return told(*arguments)

    monkeypatch.setattr(sandbox, "_run_cells", kill)
    deaths = 1
    assert not sandbox.run(plan, LIMITS).errors["beta-rate-1"]
    deaths = 3
    with pytest.raises(sandbox.Lost, match="the sandbox has ended"):
        sandbox.run(plan, LIMITS)
    assert len(killed) == 3
    # Killed while it waits for the next submission.
    sandbox.run(plan, LIMITS)
    os.killpg(sandbox._sandboxes[0].process.pid, signal.SIGKILL)
    assert not sandbox.run(plan, LIMITS).errors["beta-rate-1"]
    sandbox.close()


def test_a_sampler_does_not_compute_without_end_for_a_student() -> None:
    exam = masters.masters()["3_pcn"].exam
    greedy = (
        "def diagnose(sampler, rng):\n"
        "    return sampler(lambda z: 0, 0 * rng.normal(size=(9, 9)), 1, 10**9, rng)"
    )
    cells = [("a", greedy)]
    error = sandbox.run(sandbox.Plan(cells, exam, 0), LIMITS).errors["pcn-diagnose-2"]
    assert "a million numbers at most" in error


def test_what_protects_and_what_does_not_is_said_before_grading_starts() -> None:
    assert isinstance(sandbox.lacks(), list)
    for lack in sandbox.lacks():
        assert "submissions can" in lack
