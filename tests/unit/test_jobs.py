"""The same function at many points: the same results wherever, and deaths that cost little."""

import gc
import importlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vaebook
from tests.unit.cluster import Cluster, copied_package
from vaebook import jobs

pytestmark = pytest.mark.slow

POINTS = [{"x": x} for x in range(6)]


def square(x: int) -> int:
    return x * x


def draws(x: int) -> list[float]:
    return [random.random(), float(np.random.rand()), torch.rand(()).item()]  # noqa: NPY002


def fragile(x: int, marks: str) -> int:
    """Kill the own process at 2, the first time."""
    mark = Path(marks, str(x))
    times = len(mark.read_text()) if mark.exists() else 0
    mark.write_text("." * (times + 1))
    if x == 2 and not times:
        os.kill(os.getpid(), signal.SIGKILL)
    return x * x


def hopeless(x: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return x


def deadly(x: int) -> int:
    """Kill the own process at 0, each time."""
    if x == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return x * x


def leaves(x: int) -> int:
    return sys.exit(3) if x == 2 else x * x


def nothing_to_send(x: int) -> Any:
    return (n for n in range(x)) if x == 2 else x * x


def filled(x: int, array: np.ndarray) -> float:
    array[:] = x
    return float(array.mean())


def threads(x: int) -> int:
    return torch.get_num_threads()


def hears_ctrl_c(x: int) -> bool:
    return signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def values(outcomes: Iterator[jobs.Outcome]) -> list[object]:
    return [o.value for o in sorted(outcomes, key=lambda o: o.index)]


def test_each_point_has_its_own_outcome_on_one_core_and_on_two() -> None:
    assert values(jobs.each(square, POINTS)) == [0, 1, 4, 9, 16, 25]
    assert values(jobs.each(square, POINTS, n_jobs=2)) == [0, 1, 4, 9, 16, 25]


@pytest.mark.weekly
def test_draws_without_a_generator_are_the_same_wherever_and_leave_no_trace_here() -> None:
    torch.manual_seed(5)
    here = torch.rand(()).item()
    torch.manual_seed(5)
    alone = values(jobs.each(draws, POINTS))
    assert torch.rand(()).item() == here
    assert values(jobs.each(draws, POINTS[::-1]))[::-1] == alone
    assert values(jobs.each(draws, POINTS, n_jobs=2)) == alone
    assert len({str(value) for value in alone}) == len(POINTS)


def test_each_point_has_one_thread_and_the_caller_keeps_its_own() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert values(jobs.each(threads, POINTS)) == [1] * 6
        assert values(jobs.each(threads, POINTS, n_jobs=2)) == [1] * 6
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_ctrl_c_is_for_the_process_that_ends_the_others() -> None:
    points = [{"x": x} for x in range(2)]
    assert values(jobs.each(hears_ctrl_c, points, n_jobs=2)) == [False, False]
    assert values(jobs.each(hears_ctrl_c, points)) == [True, True]


def test_what_raises_is_an_outcome_and_the_others_are_computed() -> None:
    outcomes = sorted(jobs.each(lambda x: 1 // x, POINTS), key=lambda o: o.index)
    assert [o.error is None for o in outcomes] == [False] + [True] * 5
    assert "ZeroDivisionError" in str(outcomes[0].error)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_what_wants_to_end_the_process_is_an_outcome(n_jobs: int) -> None:
    outcomes = sorted(jobs.each(leaves, POINTS, n_jobs=n_jobs), key=lambda o: o.index)
    assert [o.value for o in outcomes] == [0, 1, None, 9, 16, 25]
    assert "SystemExit: 3" in str(outcomes[2].error)


@pytest.mark.weekly
def test_a_result_that_cannot_come_back_is_an_outcome() -> None:
    outcomes = sorted(jobs.each(nothing_to_send, POINTS, n_jobs=2), key=lambda o: o.index)
    assert [o.value for o in outcomes] == [0, 1, None, 9, 16, 25]
    assert "generator" in str(outcomes[2].error)


@pytest.mark.parametrize("where", [{"n_jobs": 2}, {"scheduler": "tcp://127.0.0.1:1"}])
def test_a_function_that_cannot_be_sent_is_refused_at_once(where: dict[str, Any]) -> None:
    held = threading.Lock()
    with pytest.raises(ValueError, match="function and points must be picklable"):
        jobs.each(lambda x: held, POINTS, **where)


@pytest.mark.weekly
def test_a_function_that_cannot_be_read_elsewhere_is_refused_and_no_death(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from functools import cache\nfrom vaebook import jobs\n\n"
        "@cache\ndef base():\n    return 1\n\n"
        "def row(x):\n    return x + base()\n\n"
        "list(jobs.each(row, [{'x': 1}, {'x': 2}], n_jobs=2))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert "ValueError: function must be readable in another process" in done.stderr
    assert "Can't get attribute 'base'" in done.stderr.splitlines()[-1]


@pytest.mark.weekly
def test_an_array_arrives_as_it_is_however_large() -> None:
    points = [{"x": x, "array": np.zeros(300_000)} for x in range(3)]
    assert values(jobs.each(filled, points, n_jobs=2)) == [0, 1, 2]


def test_code_that_was_edited_since_the_last_call_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "edited_meanwhile.py"
    file.write_text("def power(x):\n    return x**2\n")
    module = importlib.import_module("edited_meanwhile")
    assert values(jobs.each(module.power, POINTS, n_jobs=2)) == [0, 1, 4, 9, 16, 25]
    file.write_text("def power(x):\n    return -x\n")
    importlib.reload(module)
    assert values(jobs.each(module.power, POINTS, n_jobs=2)) == [0, -1, -2, -3, -4, -5]


@pytest.mark.weekly
def test_a_killed_process_costs_only_what_was_under_way(tmp_path: Path) -> None:
    points = [{"x": x, "marks": str(tmp_path)} for x in range(8)]
    assert values(jobs.each(fragile, points, n_jobs=2)) == [x * x for x in range(8)]
    tries = [len((tmp_path / str(x)).read_text()) for x in range(8)]
    # The point that killed, its neighbour, and what waited in the pipes of the dead pool.
    assert tries[2] == 2
    assert sum(tries) <= 8 + 4


@pytest.mark.weekly
def test_a_point_that_kills_its_worker_every_time_is_given_up() -> None:
    with pytest.raises(RuntimeError, match="died 3 times"):
        list(jobs.each(hopeless, POINTS, n_jobs=2))


@pytest.mark.weekly
def test_a_point_that_kills_its_worker_every_time_does_not_keep_the_others() -> None:
    outcomes = jobs.each(deadly, [{"x": x} for x in range(12)], n_jobs=2)
    assert {next(outcomes).index for _ in range(11)} == set(range(1, 12))
    with pytest.raises(jobs.WorkersLost, match="1 of 12 points are left"):
        next(outcomes)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_jobs": 0}, "n_jobs"),
        ({"n_jobs": 1.5}, "n_jobs"),
        ({"points": [3]}, "points"),
        ({"function": 3}, "function"),
        ({"scheduler": "tcp://127.0.0.1:1"}, "scheduler"),
        ({"scheduler": "nonsense"}, "scheduler"),
    ],
)
def test_what_it_cannot_take_is_refused_by_name(wrong: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"function": square, "points": POINTS} | wrong
    with pytest.raises(ValueError, match=message):
        list(jobs.each(**arguments))


def test_where_nobody_answers_the_wait_has_an_end_and_no_client_stays_open() -> None:
    from distributed import Client

    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        said = {
            f"tcp://127.0.0.1:{port}": "scheduler.*no answer",
            "foo://127.0.0.1:1": "scheduler",
        }
        for address, message in said.items():
            with pytest.raises(ValueError, match=message):
                list(jobs.each(square, POINTS, scheduler=address))
    clients = [thing for thing in gc.get_objects() if type(thing) is Client]
    assert {client.status for client in clients} <= {"closed"}


def powers(x: int) -> list[float]:
    time.sleep(0.2)
    return [float(x**0.5), torch.rand(()).item()]


def test_a_cluster_gives_what_this_process_gives(cluster: Cluster) -> None:
    found = values(jobs.each(powers, POINTS, scheduler=cluster.address))
    assert found == values(jobs.each(powers, POINTS))


def test_a_killed_worker_of_a_cluster_costs_only_what_it_was_at(cluster: Cluster) -> None:
    outcomes = jobs.each(powers, [{"x": x} for x in range(20)], scheduler=cluster.address)
    first = next(outcomes)
    cluster.workers[0].kill()
    rest = list(outcomes)
    assert sorted(o.index for o in [first, *rest]) == list(range(20))
    assert all(o.error is None for o in rest)


@pytest.mark.weekly
def test_a_killed_scheduler_ends_the_run_with_its_address(cluster: Cluster) -> None:
    outcomes = jobs.each(powers, [{"x": x} for x in range(40)], scheduler=cluster.address)
    next(outcomes)
    cluster.scheduler.kill()
    with pytest.raises(RuntimeError, match=f"lost the scheduler {cluster.address}"):
        list(outcomes)


def who(x: int) -> str:
    from distributed import get_worker

    time.sleep(0.2)
    return str(get_worker().address)


def local(n_workers: int, **settings: Any) -> Any:
    from distributed import LocalCluster

    known = {"processes": False, "threads_per_worker": 1, "dashboard_address": None}
    return LocalCluster(n_workers=n_workers, **known | settings)


def test_workers_that_join_late_take_part() -> None:
    with local(1) as cluster:
        outcomes = jobs.each(
            who, [{"x": x} for x in range(20)], scheduler=cluster.scheduler_address
        )
        first = next(outcomes)
        cluster.scale(3)
        cluster.wait_for_workers(3)
        assert len({outcome.value for outcome in (first, *outcomes)}) == 3


def test_a_cluster_whose_workers_are_too_few_or_too_broad_is_refused() -> None:
    with local(0) as cluster, pytest.raises(ValueError, match="has no workers yet"):
        list(jobs.each(square, POINTS, scheduler=cluster.scheduler_address))
    with (
        local(1, threads_per_worker=2) as cluster,
        pytest.raises(ValueError, match=r"must have one thread.*start it with --nthreads 1"),
    ):
        list(jobs.each(square, POINTS, scheduler=cluster.scheduler_address))


@pytest.mark.weekly
def test_a_worker_with_another_version_is_refused_whenever_it_joins(
    cluster: Cluster, tmp_path: Path
) -> None:
    other = copied_package(tmp_path)
    file = other / "vaebook" / "__init__.py"
    file.write_text(file.read_text().replace(vaebook.__version__, "99.0"))
    outcomes = jobs.each(powers, [{"x": x} for x in range(200)], scheduler=cluster.address)
    next(outcomes)
    cluster.workers.append(cluster.worker(first=str(other)))
    cluster.wait_for_workers(3)
    with pytest.raises(ValueError, match=r"'vaebook': '99\.0'"):
        list(outcomes)
    with pytest.raises(ValueError, match=r"'vaebook': '99\.0'"):
        list(jobs.each(powers, POINTS, scheduler=cluster.address))
