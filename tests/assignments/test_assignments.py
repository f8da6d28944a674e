"""The assignments: what right, wrong, missing and broken answers are worth."""

import copy
import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
import pytest

import bank
import course
import sandbox

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent.parent

MASTERS = course.masters()
SEED = 0
QUICK = sandbox.Limits(cell=1.0, submission=20.0)

each = pytest.mark.parametrize("name", list(MASTERS))


def answered(name: str, sources: dict[str, str], released: bool = False) -> nbformat.NotebookNode:
    """The master, or the students' version, with other sources in some cells."""
    assignment = MASTERS[name]
    notebook = course.release(assignment) if released else copy.deepcopy(assignment.notebook)
    cells = {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells}
    for cell, source in sources.items():
        cells[cell].source = source
    return notebook


def failed(
    name: str, notebook: nbformat.NotebookNode, limits: sandbox.Limits | None = None
) -> set[str]:
    """The tests that a notebook fails."""
    plan, _ = course.plan(notebook, MASTERS[name], SEED)
    errors = sandbox.run(plan, limits).errors
    return {test for test, error in errors.items() if error}


def test_there_are_five_assignments_of_twenty_points_and_a_proof() -> None:
    assert list(MASTERS) == ["1_elbo", "2_mixtures", "3_pcn", "4_heatmaps", "5_beta"]
    for assignment in MASTERS.values():
        assert sum(assignment.tests.values()) == 20
        assert list(assignment.written.values()) == [5]
        tests = {name: assignment.cells[name].source for name in assignment.tests}
        hidden = {name for name, source in tests.items() if "BEGIN HIDDEN TESTS" in source}
        assert 0 < len(hidden) < len(tests)
        text = "\n".join(cell.source for cell in assignment.notebook.cells)
        assert "**Rubric**" in text
        assert "hours" in text


def test_the_points_of_a_rubric_add_up_to_those_of_the_proof() -> None:
    for assignment in MASTERS.values():
        rubric = next(c.source for c in assignment.notebook.cells if "**Rubric**" in c.source)
        rows = [line.split("|")[1].strip() for line in rubric.split("\n") if line[:2] == "| "]
        assert sum(int(row) for row in rows if row.isdigit()) == 5


def test_the_guide_gives_the_points_and_hours_of_the_assignments() -> None:
    guide = (ROOT / "chapters" / "instructors_guide.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) .* \| (\d+ \+ \d+) \| (\d+) \|$", guide, re.M)
    assert [number for number, _, _ in rows] == [name[0] for name in MASTERS]
    for (_, points, hours), assignment in zip(rows, MASTERS.values(), strict=True):
        text = assignment.notebook.cells[0].source
        assert f"about {hours} hours" in text
        assert points == "20 + 5"
        assert "20 by the tests, 5 for the proof" in text


@each
def test_a_test_says_its_points_in_its_first_line(name: str) -> None:
    assignment = MASTERS[name]
    for test, points in assignment.tests.items():
        first = assignment.cells[test].source.split("\n")[0]
        assert f"est {test} ({points:g} point" in first


@each
def test_the_master_scores_all_points_within_a_minute(name: str) -> None:
    path = ROOT / "assignments" / "source" / name / f"{name}.ipynb"
    report = course.grade(path, MASTERS[name], seed=SEED)
    assert {t: e for t, e in report.outcome.errors.items() if e} == {}
    assert report.row["automatic"] == report.row["automatic_of"] == "20"
    assert report.outcome.remarks == []
    assert report.outcome.seconds < 60


@each
def test_the_untouched_students_version_scores_nothing(name: str) -> None:
    notebook = course.release(MASTERS[name])
    assert failed(name, notebook) == set(MASTERS[name].tests)


@each
@pytest.mark.parametrize("value", ["0.0", "None", "args[0]", "1", "np.zeros(len(args[0]))"])
def test_an_answer_that_takes_no_notice_of_its_task_scores_nothing(name: str, value: str) -> None:
    notebook = course.release(MASTERS[name])
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.metadata.nbgrader.solution:
            heads = [line for line in cell.source.split("\n") if line.startswith("def ")]
            names = [line[4 : line.index("(")] for line in heads]
            cell.source = "\n".join(f"def {n}(*args): return {value}" for n in names)
    assert failed(name, notebook) == set(MASTERS[name].tests)


@each
def test_the_students_version_shows_neither_solutions_nor_hidden_tests(name: str) -> None:
    assignment = MASTERS[name]
    notebook = course.release(assignment)
    nbformat.validate(notebook)
    for cell, master in zip(notebook.cells, assignment.notebook.cells, strict=True):
        role = cell.metadata.nbgrader
        assert "###" not in cell.source.replace("####", "")
        assert cell.metadata.get("editable", True) is not role.locked
        if role.solution:
            assert cell.source != master.source
            assert "NotImplementedError" in cell.source or cell.source == course.ANSWER
        elif "HIDDEN" in master.source:
            assert len(cell.source.split("\n")) == 1
        else:
            assert cell.source == master.source


@pytest.mark.parametrize("answer", bank.RIGHT, ids=lambda a: a.title)
def test_a_right_answer_in_another_style_scores_all_points(answer: bank.Answer) -> None:
    assert failed(answer.assignment, answered(answer.assignment, answer.sources)) == set()


@pytest.mark.parametrize("answer", bank.WRONG, ids=lambda a: a.title)
def test_a_wrong_answer_loses_exactly_its_marks(answer: bank.Answer) -> None:
    assert answer.fails
    found = failed(answer.assignment, answered(answer.assignment, answer.sources))
    assert found == set(answer.fails)


def test_the_bank_has_a_wrong_answer_for_each_test_and_right_ones_for_each_assignment() -> None:
    assert len(bank.WRONG) >= 25
    for name, assignment in MASTERS.items():
        caught = {t for a in bank.WRONG if a.assignment == name for t in a.fails}
        assert caught == set(assignment.tests)
        assert any(a.assignment == name for a in bank.RIGHT)


@each
def test_the_master_passes_whatever_the_seed(name: str) -> None:
    for seed in (1, 2**31 - 1):
        plan, _ = course.plan(MASTERS[name].notebook, MASTERS[name], seed)
        assert set(sandbox.run(plan).errors.values()) == {""}


def test_another_seed_gives_other_inputs_and_the_same_seed_the_same() -> None:
    source = "def kl_standard(mu, logvar):\n    raise ValueError(float(mu[0, 0]))"
    said = []
    for seed in (1, 1, 2):
        plan, _ = course.plan(answered("1_elbo", {"elbo-kl": source}), MASTERS["1_elbo"], seed)
        said.append(sandbox.run(plan).errors["elbo-kl-1"])
    assert said[0] == said[1] != said[2]


# ---------------------------------------------------------------------------------------------
# What comes back from students


def test_a_changed_or_deleted_test_is_the_masters_again() -> None:
    notebook = answered("1_elbo", {"elbo-kl": "def kl_standard(mu, logvar): return 0"})
    notebook.cells = [c for c in notebook.cells if c.metadata.nbgrader.grade_id != "elbo-kl-2"]
    for cell in notebook.cells:
        if cell.metadata.nbgrader.grade_id == "elbo-kl-1":
            cell.source = "assert True"
    plan, (remarks, _) = course.plan(notebook, MASTERS["1_elbo"], SEED)
    errors = sandbox.run(plan).errors
    assert all(errors[f"elbo-kl-{i}"] for i in (1, 2, 3))
    assert remarks == ["elbo-kl-1 was changed; the original was used", "elbo-kl-2 is missing"]


def test_a_students_own_cells_run_and_cannot_switch_the_helpers_off() -> None:
    notebook = answered("1_elbo", {"elbo-kl": "def kl_standard(mu, logvar): return helper(mu)"})
    trick = "check = lambda *a, **k: None\ndef helper(mu): return 0\n%matplotlib inline\n!ls"
    notebook.cells.insert(2, nbformat.v4.new_code_cell(trick))
    assert failed("1_elbo", notebook) == {
        "elbo-kl-1",
        "elbo-kl-2",
        "elbo-kl-3",
        "elbo-estimator-1",
        "elbo-estimator-2",
    }


def test_a_syntax_error_costs_its_own_part_only() -> None:
    notebook = answered("5_beta", {"beta-rate": "def rate(mu, logvar)\n    return 0"})
    assert failed("5_beta", notebook) == {"beta-rate-1", "beta-rate-2"}


@pytest.mark.parametrize(
    "source",
    [
        "def rate(mu, logvar):\n    while True: pass",
        "def rate(mu, logvar):\n    import time; time.sleep(60)",
        "def rate(mu, logvar):\n    raise SystemExit",
        "def rate(mu, logvar):\n    return rate(mu, logvar)",
        "def rate(mu, logvar):\n    return np.ones((10**6, 10**6)).sum()",
        "import sys; sys.exit(0)",
        "input('your name')",
        "while True: pass",
    ],
)
def test_a_cell_that_does_not_end_or_ends_python_costs_its_own_part_only(source: str) -> None:
    notebook = answered("5_beta", {"beta-rate": source})
    assert failed("5_beta", notebook, QUICK) == {"beta-rate-1", "beta-rate-2"}


@pytest.mark.parametrize(
    "source",
    [
        "import os; os._exit(0)",
        "def rate(mu, logvar):\n    while True:\n        try:\n            while True: pass\n"
        "        except BaseException: pass",
    ],
)
def test_what_cannot_be_stopped_from_inside_is_ended_from_outside(source: str) -> None:
    notebook = answered("5_beta", {"beta-rate": source})
    limits = sandbox.Limits(cell=0.5, submission=3.0)
    assert {"beta-rate-1", "beta-rate-2"} <= failed("5_beta", notebook, limits)


def test_cells_are_known_by_their_first_line_when_an_editor_drops_the_metadata() -> None:
    notebook = course.release(MASTERS["5_beta"])
    for cell, master in zip(notebook.cells, MASTERS["5_beta"].notebook.cells, strict=True):
        if cell.metadata.nbgrader.solution:
            cell.source = master.source
        cell.metadata = {}
    assert failed("5_beta", notebook) == set()


def write(path: Path, notebook: nbformat.NotebookNode) -> Path:
    """Write a notebook into a folder that need not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    """The lines of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of submissions as they come, graded from the command line."""
    folder = tmp_path_factory.mktemp("a course")
    submissions = folder / "sub missions"
    for name, assignment in MASTERS.items():
        write(submissions / "ada" / f"{name}.ipynb", assignment.notebook)
    beta = MASTERS["5_beta"].notebook
    windows = write(submissions / "bob" / "Downloads" / "beta (1).ipynb", beta)
    text = json.loads(windows.read_text(encoding="utf-8"))
    for cell in text["cells"]:
        cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")
    windows.write_bytes(b"\xef\xbb\xbf" + json.dumps(text, indent=1).encode())
    write(submissions / "bob" / ".ipynb_checkpoints" / "5_beta.ipynb", beta)
    (submissions / "bob" / "3_pcn.ipynb").write_text("{ torn", encoding="utf-8")
    (submissions / "cy").mkdir()
    write(submissions / "whose.ipynb", beta)
    main = str(ROOT / "assignments" / "course.py")
    command = [sys.executable, main, "grade", str(submissions), "--seed", "5"]
    command += ["--output", str(folder / "grades")]
    result = subprocess.run(command, check=True, cwd=folder, capture_output=True, text=True)
    (folder / "said").write_text(result.stdout, encoding="utf-8")
    return folder


def grades(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The lines of grades.csv by student and assignment."""
    return {(r["student"], r["assignment"]): r for r in rows(folder / "grades.csv")}


def test_a_folder_of_submissions_gives_a_line_for_each_student_and_assignment(
    graded: Path,
) -> None:
    found = grades(graded / "grades")
    assert list(found) == [(s, a) for s in ("ada", "bob", "cy") for a in MASTERS]
    assert {found["ada", a]["automatic"] for a in MASTERS} == {"20"}
    assert found["bob", "5_beta"]["automatic"] == "20"
    assert found["bob", "3_pcn"]["automatic"] == "0"
    assert "no notebook" in found["bob", "3_pcn"]["status"]
    assert {found["cy", a]["status"] for a in MASTERS} == {"missing"}
    assert {r["seed"] for r in found.values()} == {"5"}


def test_the_seed_and_what_was_not_graded_are_said_aloud(graded: Path) -> None:
    said = (graded / "said").read_text(encoding="utf-8")
    assert "Seed 5;" in said
    assert "not graded: whose.ipynb" in said


def test_feedback_names_each_test_its_points_and_what_it_said(graded: Path) -> None:
    for student in ("ada", "bob", "cy"):
        for name, assignment in MASTERS.items():
            page = graded / "grades" / "feedback" / student / f"{name}.html"
            text = page.read_text(encoding="utf-8")
            assert all(test in text for test in assignment.tests)
            assert assignment.title in text


def test_marks_of_the_proofs_come_from_a_file_that_the_grader_prepared(graded: Path) -> None:
    prepared = graded / "grades" / "written.csv"
    lines = rows(prepared)
    assert [line["student"] for line in lines] == ["ada"] * 5 + ["bob"]
    assert {line["of"] for line in lines} == {"5"}
    text = prepared.read_text(encoding="utf-8").replace("proof,,5,", "proof,3.5,5,see (b)")
    filled = graded / "filled.csv"
    filled.write_text(text, encoding="utf-8")
    marks = course.read_marks(filled, MASTERS)
    # With two at a time, as no other test does.
    reports = course.grade_folder(graded / "sub missions", graded / "again", 5, marks, n_jobs=2)
    assert rows(graded / "again" / "tests.csv") == rows(graded / "grades" / "tests.csv")
    assert reports[0].row["total"] == "23.5"
    page = graded / "again" / "feedback" / "ada" / "1_elbo.html"
    assert "see (b)" in page.read_text(encoding="utf-8")
    filled.write_text(text.replace("3.5", "6"), encoding="utf-8")
    with pytest.raises(ValueError, match="between 0 and"):
        course.read_marks(filled, MASTERS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda cells: cells[3].metadata.nbgrader.update(grade_id="elbo-helpers"), "once"),
        (lambda cells: cells[4].metadata.nbgrader.update(points=0), "points above 0"),
        (lambda cells: cells[3].update(source="def kl(): ..."), "mark its solution"),
    ],
)
def test_a_master_that_cannot_be_one_is_refused(change: Any, message: str, tmp_path: Path) -> None:
    notebook = copy.deepcopy(MASTERS["1_elbo"].notebook)
    change(notebook.cells)
    nbformat.write(notebook, tmp_path / "x.ipynb")
    with pytest.raises(ValueError, match=message):
        course.load(tmp_path / "x.ipynb")


# ---------------------------------------------------------------------------------------------
# The masters are nbgrader's, and it comes to the same marks


def nbgrader(folder: Path, *arguments: str) -> None:
    """Run a command of nbgrader on a course of its own."""
    command = [sys.executable, "-m", "nbgrader", *arguments, "--course", str(folder)]
    command += [f"--CourseDirectory.root={folder}", "--db", f"sqlite:///{folder}/book.db"]
    # It calls alembic by name, and the environment need not be activated.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PATH": path},
    )
    assert result.returncode == 0, result.stderr[-2000:]


def sources(cells: Iterable[nbformat.NotebookNode]) -> list[str]:
    """What stands in the cells."""
    return [cell.source.strip() for cell in cells]


def test_nbgrader_releases_the_same_and_grades_the_same(tmp_path: Path) -> None:
    pytest.importorskip("nbgrader")
    from nbgrader.api import Gradebook

    name = "5_beta"
    write(tmp_path / "source" / name / f"{name}.ipynb", MASTERS[name].notebook)
    nbgrader(tmp_path, "generate_assignment", name)
    theirs = nbformat.read(tmp_path / "release" / name / f"{name}.ipynb", as_version=4)
    assert sources(theirs.cells) == sources(course.release(MASTERS[name]).cells)
    wrong = next(a for a in bank.WRONG if a.title == "the rate in bits")
    notebook = answered(name, {}, released=True)
    for cell, master in zip(notebook.cells, MASTERS[name].notebook.cells, strict=True):
        if cell.metadata.nbgrader.solution:
            cell.source = wrong.sources.get(cell.metadata.nbgrader.grade_id, master.source)
    write(tmp_path / "submitted" / "eve" / name / f"{name}.ipynb", notebook)
    nbgrader(tmp_path, "autograde", name)
    with Gradebook(f"sqlite:///{tmp_path}/book.db") as book:
        submission = book.find_submission(name, "eve")
        assert submission.score == 20 - sum(MASTERS[name].tests[t] for t in wrong.fails)
