"""Experiments: rows kept as they come, computed once, and the same table however it was made."""

import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.often import often
from tests.unit.cluster import Cluster, copied_package
from vaebook import tables
from vaebook.__main__ import main
from vaebook.tables import Experiment, Failed

pytestmark = pytest.mark.slow

STUDY = '''
"""A study that leaves a mark per row."""

import time
from functools import cache
from pathlib import Path

import torch

from vaebook.tables import Experiment

MARKS, SECONDS = Path({marks!r}), {seconds}


@cache
def data():
    return torch.arange(5.0)


def row(way, seed):
    with open(MARKS / f"{{way}}-{{seed}}", "a") as file:
        file.write(".")
    time.sleep(SECONDS)
    while (MARKS.parent / "closed").exists():
        time.sleep(0.05)
    drawn = torch.rand((), generator=torch.Generator().manual_seed(seed)).item()
    return {{"way of it": way * 2, "drawn": drawn, "free": torch.randn(()).item(),
            "sum": data().sum().item(), "padding": "x" * {padding}}}


toy = Experiment(
    "toy",
    row,
    {{"way": ["one", "two"], "seed": range({seeds})}},
    about={{"seeds": {seeds}}},
    summarize=lambda rows: {{"mean": sum(row["drawn"] for row in rows) / len(rows)}},
)
'''


class Study:
    """The study's file, its marks and its table."""

    def __init__(self, folder: Path) -> None:
        self.marks, self.into = folder / "marks", folder / "tables"
        self.marks.mkdir()
        self.path = folder / "toy.py"
        self.write()

    def write(self, seeds: int = 4, seconds: float = 0.0, padding: int = 0) -> None:
        self.seeds = seeds
        text = STUDY.format(marks=str(self.marks), seconds=seconds, seeds=seeds, padding=padding)
        self.path.write_text(text)

    def run(self, **settings: Any) -> tables.Table:
        return tables.run(tables.from_file(self.path), self.into, **{"progress": False} | settings)

    def start(self, *arguments: str, **settings: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "vaebook", "experiment", str(self.path)]
        return subprocess.Popen(
            [*command, "--into", str(self.into), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **settings,
        )

    def bytes(self) -> bytes:
        return (self.into / "toy.jsonl").read_bytes()

    def kept(self) -> int:
        """How many rows stand in the journal."""
        path = self.into / "toy.rows"
        return path.read_text().count("\n{") if path.exists() else 0

    def tries(self) -> int:
        return sum(len(mark.read_text()) for mark in self.marks.iterdir())


def wait(run: subprocess.Popen[str], ready: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until a run has come so far, and no longer than it lives."""
    end = time.monotonic() + seconds
    while not ready():
        assert run.poll() is None, run.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


@pytest.fixture
def serial(tmp_path: Path, study: Study) -> Callable[[], bytes]:
    """Return the table that a run without any trouble writes."""

    def run() -> bytes:
        into = tmp_path / "serial"
        tables.run(tables.from_file(study.path), into, progress=False)
        return (into / "toy.jsonl").read_bytes()

    return run


def test_a_table_has_points_rows_summary_and_what_holds_for_all(study: Study) -> None:
    table = study.run()
    assert [(row["way"], row["seed"]) for row in table.rows[:5]] == [
        ("one", 0), ("one", 1), ("one", 2), ("one", 3), ("two", 0),
    ]  # fmt: skip
    assert table.rows[0]["way of it"] == "oneone"
    assert table.rows[0]["sum"] == 10
    assert table.about == {"seeds": 4}
    assert table.summary["mean"] == sum(row["drawn"] for row in table.rows) / 8
    assert table.made_with["torch"] == torch.__version__
    assert table == tables.read(study.into / "toy.jsonl")
    assert [path.name for path in study.into.iterdir()] == ["toy.jsonl"]


def test_a_finished_table_is_not_computed_again(study: Study) -> None:
    study.run()
    before = study.bytes()
    study.run()
    assert study.bytes() == before
    assert study.tries() == 8


def test_two_processes_write_the_same_bits_as_one(study: Study, serial: Any) -> None:
    study.run(n_jobs=2)
    assert study.bytes() == serial()


def test_only_new_points_are_computed_and_old_ones_leave(study: Study, serial: Any) -> None:
    study.run()
    study.write(seeds=5)
    assert len(study.run().rows) == 10
    assert study.tries() == 10
    study.write(seeds=2)
    study.run()
    assert study.tries() == 10
    assert study.bytes() == serial()


def test_a_comment_or_docstring_costs_nothing_and_a_change_all_rows(study: Study) -> None:
    study.run()
    text = study.path.read_text()
    study.path.write_text(text.replace("    drawn", "    # a word\n    drawn"))
    study.run()
    assert study.tries() == 8
    head = "def row(way, seed):\n"
    assert head in text
    described = text.replace(head, f'{head}    """Two\n\n    lines."""\n')
    study.path.write_text(described)
    study.run()
    assert study.tries() == 8
    study.path.write_text(text.replace("arange(5.0)", "arange(6.0)"))  # what the row calls
    assert {row["sum"] for row in study.run().rows} == {15.0}
    assert study.tries() == 16


def test_what_a_row_uses_stales_that_row_alone() -> None:
    state = {"a": 1, "b": 1}
    used = Experiment("used", lambda way: {}, {"way": ["a", "b"]}, uses=lambda way: [state[way]])
    before = {way: used.fingerprint(way=way) for way in "ab"}
    state["a"] = 2
    assert [used.fingerprint(way=way) == before[way] for way in "ab"] == [False, True]


def test_rows_that_raise_are_named_and_computed_again_alone(study: Study) -> None:
    text = study.path.read_text()
    study.path.write_text(
        text.replace(
            "    drawn", "    if seed == 2:\n        raise ValueError('no luck')\n    drawn"
        )
    )
    with pytest.raises(Failed, match=r"2 of 8 rows of toy failed(.|\n)*no luck"):
        study.run()
    assert study.kept() == 6
    with pytest.raises(Failed):
        study.run()
    assert study.tries() == 8 + 2
    assert main(["experiment", str(study.path), "--into", str(study.into)]) == 2


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[1, float('nan')]", r"row\.way of it\[1\] must be plain JSON and finite, got nan"),
        ("torch.zeros(2)", r"row\.way of it must be .*, a Tensor"),
        ("{'one': torch.zeros(1).numpy()[0]}", r"row\.way of it\.one must be .*, a float32"),
        ("{1: 2}", r"row\.way of it must be plain JSON, with texts as keys, got 1"),
    ],
)
def test_a_row_that_is_no_plain_json_is_refused_with_the_place(
    study: Study, value: str, message: str
) -> None:
    study.path.write_text(study.path.read_text().replace("way * 2", value))
    with pytest.raises(Failed, match=rf"8 of 8 rows(.|\n)*{message}"):
        study.run()


def test_a_run_without_a_bar_writes_nothing(study: Study, capfd: Any) -> None:
    study.path.write_text(study.path.read_text().replace("way * 2", "way * {}"))
    with pytest.raises(Failed):
        study.run()
    assert capfd.readouterr() == ("", "")
    with pytest.raises(Failed):
        study.run(progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert '{"way": "one", "seed": 0}: TypeError' in err


@pytest.mark.weekly
@pytest.mark.parametrize(
    ("row", "n_jobs"),
    [("lambda way, seed: row(way, seed)", 2), ("partial(row)", 1), ("around(row)", 2)],
    ids=["lambda", "partial", "closure"],
)
def test_a_study_may_make_its_row_as_it_likes(
    study: Study, serial: Any, row: str, n_jobs: int
) -> None:
    expected = tables.run(tables.from_file(study.path), study.into / "serial", progress=False)
    text = study.path.read_text()
    helper = (
        "from functools import partial\n\n\ndef around(function):\n"
        "    def row(way, seed):\n        return function(way, seed)\n\n    return row\n\n\ntoy ="
    )
    study.path.write_text(text.replace("    row,\n", f"    {row},\n").replace("toy =", helper))
    assert study.run(n_jobs=n_jobs).rows == expected.rows


def test_a_summary_gets_rows_as_a_run_that_goes_on_finds_them(tmp_path: Path) -> None:
    def kinds(rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {"kinds": sorted({type(row["pair"]).__name__ for row in rows})}

    pairs = Experiment("pairs", lambda x: {"pair": (x, x)}, {"x": range(3)}, summarize=kinds)
    assert tables.run(pairs, tmp_path, progress=False).summary == {"kinds": ["list"]}


def test_a_helper_that_is_written_anew_is_noticed_by_the_same_experiment(tmp_path: Path) -> None:
    space: dict[str, Any] = {}
    exec("def helper(x):\n    return x\n\ndef row(x):\n    return {'y': helper(x)}\n", space)
    once = Experiment("once", space["row"], {"x": [1, 2]})
    assert [row["y"] for row in tables.run(once, tmp_path, progress=False).rows] == [1, 2]
    exec("def helper(x):\n    return -x\n", space)
    assert [row["y"] for row in tables.run(once, tmp_path, progress=False).rows] == [-1, -2]


def test_a_table_says_which_torch_computed_it_and_not_which_looked_at_it(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.run()
    before = study.bytes()
    monkeypatch.setattr(torch, "__version__", "99.0")
    study.run()
    assert study.bytes() == before
    study.write(seeds=5)
    assert study.run().made_with["torch"] == "99.0"


def test_no_row_is_computed_that_could_not_be_kept(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touch(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "touch", touch)
    with pytest.raises(OSError, match=r"toy\.rows"):
        study.run()
    assert study.tries() == 0


def test_an_entry_of_the_point_is_not_overwritten(study: Study) -> None:
    study.path.write_text(study.path.read_text().replace('"way of it"', '"way"'))
    with pytest.raises(Failed, match="must not repeat entries of its point"):
        study.run()


def test_a_journal_cut_anywhere_gives_the_same_table(study: Study, serial: Any) -> None:
    study.run()
    whole = study.bytes()
    lines = whole.decode().split("\n")[1:-1]
    draw = random.Random(0)
    for _ in range(25):
        (study.into / "toy.jsonl").unlink(missing_ok=True)
        text = "".join(f"\n{line}" for line in lines)
        (study.into / "toy.rows").write_text(text[: draw.randrange(len(text) + 1)])
        study.run()
        assert study.bytes() == whole
    assert whole == serial()


def test_two_runs_of_one_table_at_once_are_refused(study: Study, serial: Any) -> None:
    gate = study.path.with_name("closed")
    gate.touch()
    first = study.start()
    wait(first, lambda: study.tries() > 0)
    second = study.start()
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 2
    assert "another run is at work" in errors
    gate.unlink()
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert study.tries() == 8
    assert study.bytes() == serial()


@pytest.mark.parametrize("jobs", often(["2", "1"], 1))
def test_a_killed_run_loses_only_the_rows_under_way(study: Study, serial: Any, jobs: str) -> None:
    study.write(seconds=0.3)
    run = study.start("--jobs", jobs)
    wait(run, lambda: study.kept() >= 3)
    run.kill()
    run.communicate(timeout=30)  # until its last worker has ended
    kept = study.kept()
    tried = study.tries()
    assert tried <= kept + 2 * int(jobs)
    study.run()
    assert study.tries() == tried + 8 - kept
    assert study.bytes() == serial()


@pytest.mark.weekly
def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(study: Study, serial: Any) -> None:
    study.write(seconds=0.3)
    run = study.start("--jobs", "2")
    wait(run, lambda: study.kept() >= 2)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "the same command goes on from there" in errors
    kept = study.kept()
    study.run()
    assert kept >= 2
    assert study.bytes() == serial()


def test_a_full_disk_ends_the_run_with_the_path_and_loses_no_row(
    study: Study, serial: Any
) -> None:
    study.write(padding=3000)

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    run = study.start(preexec_fn=little_room)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 2
    assert str(study.into / "toy.rows") in errors
    kept = study.kept() - 1  # the last one was cut
    assert kept == 3
    tried = study.tries()
    study.run()
    assert study.tries() == tried + 8 - kept
    assert study.bytes() == serial()


def test_a_cluster_writes_the_bits_of_one_process_though_a_worker_is_killed(
    study: Study, serial: Any, cluster: Cluster
) -> None:
    study.write(seconds=0.3)
    run = study.start("--scheduler", cluster.address)
    wait(run, lambda: study.kept() >= 3)
    cluster.workers[0].kill()
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 0, errors
    assert study.tries() <= 8 + 4
    assert study.bytes() == serial()


def test_a_worker_whose_package_would_compute_another_row_is_refused(
    study: Study, serial: Any, cluster: Cluster, tmp_path: Path
) -> None:
    text = study.path.read_text().replace("import torch", "import torch\nfrom vaebook import jobs")
    study.path.write_text(text.replace("    drawn", "    assert jobs.each\n    drawn"))
    other = copied_package(tmp_path)
    with (other / "vaebook" / "jobs.py").open("a") as file:
        file.write("each.version = 2\n")
    cluster.workers.append(cluster.worker(first=str(other)))
    cluster.wait_for_workers(3)
    with pytest.raises(Failed, match=r"of 8 rows(.|\n)*start the worker, or the run, again"):
        study.run(scheduler=cluster.address)
    assert study.tries() == study.kept()
    study.run()
    assert study.bytes() == serial()


@pytest.mark.weekly
def test_a_killed_scheduler_loses_only_the_rows_under_way(
    study: Study, serial: Any, cluster: Cluster
) -> None:
    study.write(seconds=0.3)
    run = study.start("--scheduler", cluster.address)
    wait(run, lambda: study.kept() >= 3)
    cluster.scheduler.kill()
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 2
    assert f"lost the scheduler {cluster.address}" in errors
    kept = study.kept()
    assert kept >= 3
    study.run()
    assert study.bytes() == serial()


@pytest.mark.weekly
def test_many_workers_write_each_of_many_rows_once_and_in_order(tmp_path: Path) -> None:
    from distributed import LocalCluster

    many = Experiment("many", lambda n: {"twice": 2 * n}, {"n": range(2000)})
    settings: dict[str, Any] = {"processes": False, "memory_limit": 0, "dashboard_address": None}
    with LocalCluster(n_workers=64, threads_per_worker=1, **settings) as cluster:
        table = tables.run(many, tmp_path, scheduler=cluster.scheduler_address, progress=False)
    assert table.rows == [{"n": n, "twice": 2 * n} for n in range(2000)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "../up"}, "name"),
        ({"name": ""}, "name"),
        ({"grid": {"x": []}}, "at least one point"),
        ({"grid": {"x": [1, 1]}}, "twice"),
        ({"grid": {"x": [torch.ones(1)]}}, "texts, numbers and None"),
        ({"grid": {"x": "linear"}}, "must map names to sequences"),
        ({"grid": {"x": [1.0, float("nan")]}}, r"grid\.x must be .* finite, got nan"),
        ({"grid": [{1: 2}]}, "texts as names"),
        ({"row": lambda y: {}}, "row must take the entries of grid: .*'y'"),
        ({"uses": lambda: []}, "uses must take the entries of grid: .*'x'"),
        ({"about": {"rate": [float("inf")]}}, r"about\.rate\[0\] must be .* finite, got inf"),
        ({"grid": [{"x": 1}, {"x": 1}]}, "twice"),
    ],
)
def test_an_experiment_that_makes_no_table_is_refused(wrong: dict[str, Any], message: str) -> None:
    settings: dict[str, Any] = {"name": "fine", "row": dict, "grid": {"x": [1]}} | wrong
    with pytest.raises(ValueError, match=message):
        Experiment(**settings)


def test_a_study_of_ones_own_writes_its_table_here(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["experiment", str(study.path)]) == 0
    assert capsys.readouterr().out.startswith("toy.jsonl: 8 rows")
    assert len(tables.read("toy.jsonl").rows) == 8


@pytest.mark.parametrize("jobs", ["0", "-2", "two", "1.5"])
def test_a_number_of_processes_that_is_none_is_refused(
    study: Study, jobs: str, capsys: Any
) -> None:
    for command in ("experiment", "train"):
        with pytest.raises(SystemExit):
            main([command, str(study.path), "--jobs", jobs])
        assert "must be a whole number, 1 or more" in capsys.readouterr().err
    assert study.tries() == 0


def test_a_file_without_a_study_is_refused(tmp_path: Path, capsys: Any) -> None:
    with pytest.raises(ValueError, match="must be a study's file"):
        tables.from_file(tmp_path / "none.py")
    (tmp_path / "empty.py").write_text("")
    with pytest.raises(ValueError, match="must define one experiment, it defines 0"):
        tables.from_file(tmp_path / "empty.py")
    assert main(["experiment", "nosuch"]) == 2
    assert "there is no study" in capsys.readouterr().err


def test_damaged_tables_are_refused_with_their_path(study: Study) -> None:
    study.run()
    path = study.into / "toy.jsonl"
    lines = path.read_text().split("\n")
    for broken in ("", lines[0][:-1], "\n".join([lines[0], lines[1][:-1]]), lines[1], "[]"):
        path.write_text(broken)
        with pytest.raises(ValueError, match=r"toy\.jsonl is no table, or damaged"):
            tables.read(path)
