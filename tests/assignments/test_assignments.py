"""The assignments: what right, wrong, missing and broken answers are worth."""

import copy
import csv
import functools
import inspect
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from filelock import FileLock

import bank
import course
import masters
import sandbox
import submissions
from tests.often import often

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent.parent

MASTERS = masters.masters()
SEED = 0
QUICK = sandbox.Limits(processor=1.5, clock=20.0)

each = pytest.mark.parametrize("name", list(MASTERS))
EACH_TEST = [(name, test) for name in MASTERS for test in MASTERS[name].exam.tests]
TITLE = attrgetter("name")
each_test = pytest.mark.parametrize(("name", "test"), EACH_TEST)
two = pytest.mark.parametrize("name", often(list(MASTERS), 2))


@pytest.fixture(autouse=True, scope="module")
def no_sandbox_stays() -> Iterator[None]:
    """End what waits for further submissions."""
    yield
    sandbox.close()


def answered(name: str, sources: dict[str, str], released: bool = False) -> nbformat.NotebookNode:
    """The master, or the students' version, with other sources in some cells."""
    assignment = MASTERS[name]
    notebook = masters.release(assignment) if released else copy.deepcopy(assignment.notebook)
    cells = {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells}
    for cell, source in sources.items():
        cells[cell].source = source
    return notebook


def outcome(
    name: str,
    notebook: nbformat.NotebookNode,
    limits: sandbox.Limits | None = None,
    about: str = "",
) -> sandbox.Outcome:
    """What comes of a notebook in the tests whose names begin with `about`; each costs a fork."""
    exam = MASTERS[name].exam
    tests = {test: source for test, source in exam.tests.items() if test.startswith(about)}
    assert tests, about
    cells = submissions.part(notebook, MASTERS[name]).cells
    return sandbox.run(sandbox.Plan(cells, replace(exam, tests=tests), SEED), limits)


def failed(
    name: str, notebook: nbformat.NotebookNode, limits: sandbox.Limits | None = None
) -> set[str]:
    """The tests that a notebook fails."""
    return {test for test, error in outcome(name, notebook, limits).errors.items() if error}


def solved(name: str, code: str = "") -> nbformat.NotebookNode:
    """The master with a cell of the student's own after its solutions."""
    notebook = copy.deepcopy(MASTERS[name].notebook)
    notebook.cells.append(nbformat.v4.new_code_cell(code))
    return notebook


def code(name: str, cell: str) -> str:
    """What stands in a cell of the master."""
    return str(MASTERS[name].cells[cell].source)


# ---------------------------------------------------------------------------------------------
# The masters


def test_there_are_six_assignments_of_25_points_a_figure_with_answers_and_a_proof() -> None:
    names = ["1_elbo", "2_mixtures", "3_pcn", "4_heatmaps", "5_beta", "6_scores"]
    assert list(MASTERS) == names
    for assignment in MASTERS.values():
        assert sum(assignment.tests.values()) == 25
        assert [name.split("-")[1] for name in assignment.written] == ["words", "proof"]
        assert list(assignment.written.values()) == [5, 5]
        assert "hours" in assignment.notebook.cells[0].source


@each
def test_half_of_the_points_and_not_all_can_be_seen_before_handing_in(name: str) -> None:
    tests = MASTERS[name].tests
    visible = [p for t, p in tests.items() if "BEGIN HIDDEN" not in MASTERS[name].exam.tests[t]]
    assert 12.5 <= sum(visible) < 25


@each
def test_each_test_tries_several_inputs(name: str) -> None:
    for source in MASTERS[name].exam.tests.values():
        (times,) = re.findall(r"^@_draws\((\d+)\)$", source, re.M)
        assert int(times) >= 2


@each
def test_the_points_of_a_rubric_add_up_and_only_the_teacher_sees_them(name: str) -> None:
    for question, rubric in MASTERS[name].rubrics.items():
        rows = [line.split("|")[1].strip() for line in rubric.split("\n") if line[:2] == "| "]
        assert sum(int(row) for row in rows if row.isdigit()) == MASTERS[name].written[question]
        assert re.match(r"## .* points\)$", MASTERS[name].questions[question], re.M)
    assert "Rubric" not in "\n".join(MASTERS[name].released.values())


def test_the_guide_gives_the_points_and_hours_of_the_assignments() -> None:
    guide = (ROOT / "chapters" / "instructors_guide.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) .* \| (\d+ \+ \d+) \| (\d+) \|$", guide, re.M)
    assert [number for number, _, _ in rows] == [name[0] for name in MASTERS]
    for (_, points, hours), assignment in zip(rows, MASTERS.values(), strict=True):
        text = assignment.notebook.cells[0].source
        assert f"about {hours} hours" in text
        assert points == "25 + 10"
        assert "25 by the tests, 5 for figure and answers, 5 for the proof" in text


@each
def test_a_test_says_its_points_in_its_first_line(name: str) -> None:
    assignment = MASTERS[name]
    for test, points in assignment.tests.items():
        first = assignment.cells[test].source.split("\n")[0]
        assert f"est {test} ({points:g} point" in first


@each
def test_the_master_scores_all_points(name: str) -> None:
    path = ROOT / "assignments" / "source" / name / f"{name}.ipynb"
    report = course.grade(path, MASTERS[name], seed=SEED)
    assert {t: e for t, e in report.outcome.errors.items() if e} == {}
    assert report.row["automatic"] == report.row["automatic_of"] == "25"
    assert report.outcome.remarks == report.found.remarks == []


@two
def test_the_untouched_students_version_scores_nothing(name: str) -> None:
    notebook = masters.release(MASTERS[name])
    assert failed(name, notebook) == set(MASTERS[name].tests)


@each
@pytest.mark.parametrize("value", ["0.0", "None", "args[0]", "1", "np.zeros(len(args[0]))"])
def test_an_answer_that_takes_no_notice_of_its_task_scores_nothing(name: str, value: str) -> None:
    exam = MASTERS[name].exam
    answer = eval(f"lambda *args: {value}", {"np": np})
    said = {t: exam.judge(t, SEED, dict.fromkeys(exam.tested(t), answer)) for t in exam.tests}
    assert [test for test, error in said.items() if not error] == []


@each
def test_a_missing_return_is_told_as_such(name: str) -> None:
    exam = MASTERS[name].exam
    test = next(test for test in exam.tests if "_check(" in exam.tests[test])
    said = exam.judge(test, SEED, dict.fromkeys(exam.tested(test), lambda *_: None))
    assert "nothing was returned (None)" in said.split("\n")[0]


def test_what_is_written_for_tensors_only_counts_and_what_is_wrong_is_not_unwritten() -> None:
    def tensors(mu: Any, logvar: Any) -> Any:
        if isinstance(mu, np.ndarray):
            raise NotImplementedError
        return (mu**2 + logvar.exp() - 1 - logvar).sum(1) / 2

    def wrong(mu: Any, logvar: Any) -> Any:
        if not isinstance(mu, np.ndarray):  # as torch says of an operation that it lacks
            raise NotImplementedError
        return mu[:, 0]

    judge = MASTERS["1_elbo"].exam.judge
    assert judge("elbo-kl-3", SEED, {"kl_standard": tensors}) == ""
    assert "entry [" in judge("elbo-kl-3", SEED, {"kl_standard": wrong})


@each
def test_the_right_answers_of_another_seed_score_nothing(name: str) -> None:
    exam = MASTERS[name].exam
    found = []
    for test in (t for t in exam.tests if "diagnose" not in t):  # there a few words are all
        space = exam.namespace()
        given: list[Any] = []

        def kept(*arguments: Any, function: Any, given: list[Any] = given) -> Any:
            given.append(copy.deepcopy(function(*arguments)))
            return given[-1]

        about = exam.tested(test)
        own = {f: functools.partial(kept, function=space[f]) for f in about}
        assert not exam.judge(test, SEED + 1, own)
        again = iter(given).__next__
        replayed = dict.fromkeys(about, lambda *_, again=again: again())
        found += [test] if not exam.judge(test, SEED, replayed) else []
    assert found == []


# Axes whose length the text gives as a number, and those that are never 1: there is no correlation
# of two single numbers, and so on.
FIXED = {
    *(("digit_elbo", "epsilon", 2), ("digit_bound", "epsilon", 2), ("told", "z", 1)),
    *(("seen_likelihood", "z", 1), ("sample_digit", "start", 1), ("plane", "centre", 0)),
    *(("train", "epsilon", 1), ("train", "epsilon", 2)),
    *(("codes_score", "z", 1), ("sample_codes", "start", 1)),
}
NEVER_ONE = {
    *(("factors", "image", 0), ("nearest", "image", 0), ("invalidity", "image", 0)),
    *(("rank_correlation", "a", 0), ("direction", "z", 0), ("summary", "errors", 0)),
    *(("direction", "z", 1), ("factor_direction", "indices", 0), ("active_units", "mu", 0)),
    *(("train", "epsilon", 0), ("leave_one_out", "draws", 1), ("step_kl", "betas", 0)),
}
# Pairs that mean nothing to each other, or of which the task has one the longer.
UNRELATED = {("direction", "z", 0), ("step_kl", "betas", 0)}

_Axis = tuple[str, str, int]  # a function, an argument of it, and which of its axes


def calls_of(name: str) -> list[dict[_Axis, int]]:
    """The lengths of all axes of the arrays with which the tests call each function."""
    exam = MASTERS[name].exam
    calls: list[dict[_Axis, int]] = []

    def seen(*arguments: Any, function: Any) -> Any:
        arrays = zip(inspect.signature(function).parameters, arguments, strict=True)
        shapes = [(a, () if callable(x) else np.shape(x)) for a, x in arrays]
        calls.append({(function.__name__, a, i): n for a, s in shapes for i, n in enumerate(s)})
        return function(*arguments)

    for test in exam.tests:
        space = exam.namespace()
        own = {f: functools.partial(seen, function=space[f]) for f in exam.tested(test)}
        assert not exam.judge(test, SEED, own)
    return calls


@each
def test_each_size_is_1_once_and_each_of_two_once_the_larger_and_once_they_are_equal(
    name: str,
) -> None:
    calls = calls_of(name)
    lengths = {axis: [call.get(axis) for call in calls] for call in calls for axis in call}
    # Axes that are always as long as another one are that one.
    sizes = list({tuple(n): axis for axis, n in reversed(lengths.items())}.values())
    found = []
    for axis in sizes:
        values = {n for n in lengths[axis] if n}
        if axis not in FIXED and (len(values) < 2 or (axis not in NEVER_ONE and 1 not in values)):
            found.append((axis, values))
    for one, two in itertools.combinations(sizes, 2):
        if one[0] == two[0] and not {one, two} & (FIXED | UNRELATED):
            both = zip(lengths[one], lengths[two], strict=True)
            signs = {np.sign(n - m) for n, m in both if n and m and min(n, m) > 1}
            found += [(one, two, signs)] * (signs != {-1, 0, 1})
    assert found == []


@each
def test_the_students_version_shows_neither_solutions_nor_hidden_tests(name: str) -> None:
    assignment = MASTERS[name]
    notebook = masters.release(assignment)
    nbformat.validate(notebook)
    for cell, master in zip(notebook.cells, assignment.notebook.cells, strict=True):
        role = cell.metadata.nbgrader
        assert "###" not in cell.source.replace("####", "")
        assert cell.metadata.get("editable", True) is not role.locked
        if role.solution:
            assert cell.source != master.source
            assert "NotImplementedError" in cell.source or cell.source == masters.ANSWER
        elif "HIDDEN" in master.source:
            assert len(cell.source.split("\n")) == 1
        else:
            assert cell.source == master.source


def test_another_seed_gives_other_inputs_and_the_same_seed_the_same() -> None:
    def kl_standard(mu: Any, logvar: Any) -> None:
        raise ValueError(float(mu[0, 0]))

    exam = MASTERS["1_elbo"].exam
    said = [exam.judge("elbo-kl-1", seed, {"kl_standard": kl_standard}) for seed in (1, 1, 2)]
    assert said[0] == said[1] != said[2]


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
        masters.load(tmp_path / "x.ipynb")


# ---------------------------------------------------------------------------------------------
# The bank


def test_the_bank_has_wrong_answers_for_each_test_and_right_ones_in_many_styles() -> None:
    assert len(bank.WRONG) >= 400
    assert len(bank.RIGHT) >= 60
    for name, assignment in MASTERS.items():
        assert {t for a in bank.WRONG if a.assignment == name for t in a.loses} == set(
            assignment.tests
        )
        assert any(a.assignment == name for a in bank.RIGHT)


def passing(name: str, test: str, seed: int, answers: Iterable[bank.Answer]) -> list[str]:
    """The answers that pass a test, in this process: the bank can be trusted.

    The test runs once, and what it compares is compared again for each answer. As in the grading
    it is enough to pass with the right earlier functions.
    """
    exam = MASTERS[name].exam
    space, master = exam.namespace(), exam.namespace()
    own = {space[function]: function for function in exam.tested(test)}
    right = {function: master[function] for function in exam.earlier(test)}
    kept: list[tuple[Any, Any, Any]] = []

    def compares(functions: dict[str, Any]) -> bool:
        space.update(functions)  # for what a test itself has made of them
        try:
            for function, arguments, named in kept:
                check(functions.get(own.get(function, ""), function), *arguments, **named)
        except Exception:
            return False
        return True

    def judged(functions: dict[str, Any]) -> bool:
        return not exam.judge(test, seed, functions)

    check = space["_check"]
    space["_check"] = lambda function, *given, **named: kept.append((function, given, named))
    space |= {"SEED": seed, "_shown": lambda _: ""}
    passes = compares if "_check(" in exam.tests[test] else judged
    if passes is compares:
        exec(exam.tests[test], space)
        assert kept
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a wrong answer may overflow
        for answer in answers:
            theirs = master.copy()
            exec(bank.compiled(answer), theirs)
            changed = any(theirs[function] is not right[function] for function in right)
            for replaced in ({}, right)[: 1 + changed]:
                theirs |= replaced
                if passes({function: theirs[function] for function in own.values()}):
                    found.append(answer.name)
                    break
    return found


def losing(test: str) -> list[bank.Answer]:
    """The wrong answers of the bank that should fail a test."""
    return [answer for answer in bank.WRONG if test in answer.loses]


def surprises(name: str, test: str, seeds: Iterable[int]) -> list[tuple[int, list[str]]]:
    """The seeds in which others pass than the right answers, or not all of these.

    Right answers in other styles are tried in one seed of five. Nothing stops them early, so that
    in each they would take two thirds of the time, and a chance that fails them fails the
    master's answer too.
    """
    about = MASTERS[name].exam.tested(test)
    right = [bank.Answer("right", "", name, "")]
    styles = [a for a in bank.RIGHT if a.assignment == name and any(f in a.code for f in about)]
    found = []
    for seed in seeds:
        keep = right + styles if seed % 5 == 0 else right
        passed = passing(name, test, seed, [*keep, *losing(test)])
        if passed != [a.name for a in keep]:
            found.append((seed, passed))
    return found


@each_test
def test_only_right_answers_keep_their_marks_in_every_one_of_twenty_seeds(
    name: str, test: str
) -> None:
    assert losing(test)
    assert surprises(name, test, range(20)) == []


@pytest.mark.weekly
@each_test
def test_only_right_answers_keep_their_marks_in_a_thousand_seeds(name: str, test: str) -> None:
    assert surprises(name, test, range(20, 1020)) == []


# A bench runs dozens of chains, and with all wrong answers of its kind half a minute.
BENCHES = [(name, test) for name, test in EACH_TEST if test.startswith("pcn-diagnose")]


@pytest.mark.parametrize(
    ("name", "test"),
    [
        *often([each for each in EACH_TEST if each not in BENCHES], 9, "-".join),
        *(pytest.param(*each, id="-".join(each), marks=pytest.mark.weekly) for each in BENCHES),
    ],
)
def test_wrong_answers_of_other_tests_lose_nothing_here(name: str, test: str) -> None:
    exam = MASTERS[name].exam
    # Tests that come before know nothing of an answer.
    known = (*exam.earlier(test), *exam.tested(test))
    others = [
        answer
        for answer in bank.WRONG
        if answer.assignment == name and test not in answer.loses
        if any(function in answer.code for function in known)
    ]
    assert passing(name, test, SEED, others) == [answer.name for answer in others]


@each_test
def test_what_is_compared_again_comes_to_the_same_as_a_test(name: str, test: str) -> None:
    exam = MASTERS[name].exam
    for answer in losing(test)[:1]:
        space = exam.namespace()
        exec(bank.compiled(answer), space)
        assert exam.judge(test, SEED, {f: space[f] for f in exam.tested(test)})
    right = bank.Answer("right", "", name, "")
    assert passing(name, test, SEED, [right]) == ["right"]


def going_back(kinds: list[str]) -> Any:
    """A diagnosis by what the state of a generator tells of its last draws."""
    drawn: list[str] = []

    def diagnose(sampler: Any, rng: np.random.Generator) -> str:
        for steps in range(10) if not drawn else ():
            before = np.random.PCG64()
            before.state = rng.bit_generator.state
            guess = np.random.Generator(before.advance(-steps)).permutation(kinds)
            if before.state["state"] == rng.bit_generator.state["state"]:
                drawn.extend(map(str, guess))
                break
        return drawn.pop(0)

    return diagnose


def test_the_generator_that_is_handed_to_a_student_does_not_tell_the_answer() -> None:
    exam, kinds = MASTERS["3_pcn"].exam, ["correct", "repeats", "ratio"]
    errors = [
        exam.judge("pcn-diagnose-3", seed, {"diagnose": going_back(kinds)}) for seed in range(8)
    ]
    assert sum(not error for error in errors) <= 1  # which is luck


def test_every_right_answer_is_tried_by_a_test() -> None:
    for answer in bank.RIGHT:
        exam = MASTERS[answer.assignment].exam
        tested = {name for test in exam.tests for name in exam.tested(test)}
        assert any(name in answer.code for name in tested), answer.name


@pytest.mark.parametrize("answer", often(bank.RIGHT, 4, TITLE))
def test_a_right_answer_in_another_style_scores_all_points(answer: bank.Answer) -> None:
    assert failed(answer.assignment, solved(answer.assignment, answer.code)) == set()


@pytest.mark.parametrize(
    "answer",
    often([a for a in bank.WRONG if "underflow" in a.title or "half" in a.title][:12], 2, TITLE),
)
def test_the_sandbox_comes_to_the_marks_of_the_bank(answer: bank.Answer) -> None:
    found = failed(answer.assignment, solved(answer.assignment, answer.code))
    assert found == set(answer.loses)


def test_a_mistake_costs_the_points_of_its_own_part_only() -> None:
    for answer in bank.WRONG:
        exam = MASTERS[answer.assignment].exam
        (part,) = {tuple(exam.tested(test)) for test in answer.loses}
        assert all(name in answer.code for name in part)


def test_a_mistake_costs_six_points_at_most_and_mostly_three_or_less() -> None:
    costs = [sum(MASTERS[a.assignment].tests[t] for t in a.loses) for a in bank.WRONG]
    assert max(costs) == 6
    assert sum(cost <= 3 for cost in costs) > 0.75 * len(costs)


# ---------------------------------------------------------------------------------------------
# What a student is told


# Words, what is drawn at random or depends on the turn, and what raises an exception have no
# numbers to compare.
NO_NUMBERS = ("diagnose", "rng.", "default_rng", "rand", "_turn", "return np.stack(states)")


@pytest.mark.parametrize("answer", often(bank.WRONG, 40, TITLE))
def test_the_bank_knows_each_of_its_mistakes_by_its_numbers(answer: bank.Answer) -> None:
    exam = MASTERS[answer.assignment].exam
    space = exam.namespace()
    exec(bank.compiled(answer), space)
    test = answer.loses[-1]
    said = bank.explain(exam, test, SEED, {name: space[name] for name in exam.tested(test)})
    raised = re.match(r"\w+(Error|Exception): ", said)
    if not raised and not any(sign in answer.code for sign in NO_NUMBERS):
        assert answer.title in said.split("\n")[-1]


def test_feedback_has_an_input_of_its_own_with_what_came_out_and_what_should_have() -> None:
    answer = next(a for a in bank.WRONG if a.title == "the sign of the KL")
    found = outcome("1_elbo", solved("1_elbo", answer.code), about="elbo-kl")
    for test in answer.loses:
        said = found.details[test].split("\n")
        assert [line.split(":")[0] for line in said[1:4]] == ["given", "returned", "should be"]
        assert said[4] == "These are the numbers of a known mistake: the sign of the KL."
        # What the test itself has tried is not told.
        space = MASTERS["1_elbo"].exam.namespace()
        exec(answer.code, space)
        own = MASTERS["1_elbo"].exam.judge(test, SEED, {"kl_standard": space["kl_standard"]})
        assert found.errors[test] == own.split("\n")[0]
        assert own.split("\n")[1] not in found.details[test]
    assert set(found.details) == set(answer.loses)


def test_who_returns_nothing_or_lacks_what_torch_does_is_told_so() -> None:
    exam = MASTERS["1_elbo"].exam
    half = lambda mu, logvar: torch.empty(2, device="meta").cpu()  # noqa: E731
    said = [
        exam.judge("elbo-kl-1", SEED, {"kl_standard": function})
        for function in (lambda mu, logvar: None, half)
    ]
    assert "is a return missing?" in said[0]
    assert "meta tensor" in said[1]


def test_no_mistake_is_named_where_none_fits() -> None:
    code = "def kl_standard(mu, logvar): return 17 * np.ones(len(mu))"
    found = outcome("1_elbo", solved("1_elbo", code), about="elbo-kl")
    assert "returned: [17., 17., 17." in found.details["elbo-kl-3"]
    assert "known mistake" not in found.details["elbo-kl-3"]


def run_all(notebook: nbformat.NotebookNode) -> None:
    """Run the cells as Jupyter does, going on after a test that fails."""
    space: dict[str, Any] = {"__name__": "__main__"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            try:
                exec(cell.source, space)
            except NotImplementedError:
                pass
            except Exception:
                assert cell.metadata.get("tags") == ["raises-exception"], cell.source
    plt.close("all")


def visible_points(name: str) -> dict[str, float]:
    """The points of the tests that students see."""
    exam, tests = MASTERS[name].exam, MASTERS[name].tests
    return {test: p for test, p in tests.items() if "HIDDEN" not in exam.tests[test]}


@each
def test_the_self_check_shows_what_the_visible_tests_say(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    visible = visible_points(name)
    run_all(masters.release(MASTERS[name]))
    said = capsys.readouterr().out
    assert all(f"{test}: not written yet" in said for test in visible)
    assert f"  0 of {sum(visible.values()):g}; " in said
    assert f"{25 - sum(visible.values()):g} more points are hidden" in said


@two
def test_a_whole_master_with_its_figure_and_names_of_ones_own_has_all_visible_points(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plt, "show", lambda: None)
    notebook = copy.deepcopy(MASTERS[name].notebook)
    own = "check = numbers = shown = like = draws = None"
    notebook.cells.insert(2, nbformat.v4.new_code_cell(own))
    run_all(notebook)
    total = f"{sum(visible_points(name).values()):g}"
    assert f"{total} of {total}; " in capsys.readouterr().out


def test_the_self_check_bears_a_part_that_is_missing_or_wrong(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sources = {"elbo-kl": "def kl_standard(mu, logvar): return 0 * mu[:, 0]"}
    sources |= {"elbo-gaussian": "", "elbo-figure": ""}
    notebook = answered("1_elbo", sources)
    gone = ("elbo-bernoulli", "elbo-bernoulli-1")
    notebook.cells = [c for c in notebook.cells if c.metadata.nbgrader.grade_id not in gone]
    run_all(notebook)
    lines = capsys.readouterr().out.split("\n")
    assert any("elbo-kl-1: entry" in line for line in lines)
    assert any("elbo-gaussian-1: NameError" in line for line in lines)
    assert any("elbo-bernoulli-1: run its cell first" in line for line in lines)
    assert any(line.startswith("3. Reparameterisation") and "1 of 1" in line for line in lines)


# ---------------------------------------------------------------------------------------------
# The package and its models


@each
def test_a_notebook_without_the_package_says_so_and_loses_one_part_only(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (given,) = [n for n in MASTERS[name].given if n.endswith("-given")]
    monkeypatch.setitem(sys.modules, "vaebook", None)
    with pytest.raises(ImportError, match="needs the book's package, vaebook: install it first"):
        exec(code(name, given), {})


def test_a_grader_without_the_package_says_so() -> None:
    main = str(ROOT / "assignments" / "course.py")
    code = f"import runpy, sys; sys.modules['vaebook'] = None; runpy.run_path({main!r})"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.strip().startswith("the grader needs the book's package, vaebook")


def test_a_notebook_that_has_lost_the_given_models_keeps_its_marks() -> None:
    notebook = answered("3_pcn", {})
    notebook.cells = [c for c in notebook.cells if masters.grade_id(c) != "pcn-given"]
    assert failed("3_pcn", notebook) == set()


def test_the_picture_of_a_figure_goes_with_the_answers_and_is_not_drawn_again() -> None:
    notebook = answered("5_beta", {"beta-figure": "1 / 0"})
    cell = next(c for c in notebook.cells if masters.grade_id(c) == "beta-figure")
    data = {"image/png": "iVBORw0KGgo="}
    cell.outputs = [nbformat.v4.new_output("display_data", data=data)]
    found = submissions.part(notebook, MASTERS["5_beta"])
    assert found.images["beta-words"] == ["data:image/png;base64,iVBORw0KGgo="]
    assert "beta-figure" not in dict(found.cells)


# ---------------------------------------------------------------------------------------------
# Cells run as they do in Jupyter

KL = code("1_elbo", "elbo-kl")


IN_JUPYTER = [
    "%%time\n" + KL,
    "%%capture\n" + KL,
    "%%capture output\n" + KL,
    KL + "\ndisplay(kl_standard(np.ones((1, 1)), np.ones((1, 1))))",
    "display(1)\n" + KL,
    "np.sum?\n" + KL,
    "?np.sum\n" + KL,
    "!ls\n" + KL,
    "files = !ls\nassert len(files) == 0\n" + KL,
    "%time result = 1 + 1\nassert result == 2\n" + KL,
    "%matplotlib inline\n" + KL,
    "%config InlineBackend.figure_format = 'retina'\n" + KL,
    "%load_ext autoreload\n%autoreload 2\n" + KL,
    "%load_ext nobody_has_this\n%nobody_has_this\n" + KL,
    "%pip install nothing\n" + KL,
    "from google.colab import drive, files\ndrive.mount('/content/drive')\n" + KL,
    "import google.colab\ngoogle.colab.drive.mount('/content/drive', force_remount=True)\n" + KL,
    "from google import colab\nfrom google.colab import drive as disk\ndisk.mount('/content')\n"
    "import google.colab, math as m\ncolab.output.clear()\nassert m.pi > 3\n" + KL,
    "class D:\n    def mount(self, p): global m; m = p\n"
    "drive = D()\ndrive.mount('x')\nassert m == 'x'\n" + KL,
    "try:\n    import google.colab\nexcept ImportError:\n    away = True\nassert away\n" + KL,
    "files = []\nfiles.append(1)\nassert files\n" + KL,
    "import asyncio\nawait asyncio.sleep(0)\n" + KL,
    "async def one():\n    return 1\nassert await one() == 1\n" + KL,
    "sum = map = list = float = 0\n" + KL,
    "check = numbers = like = draws = None\n" + KL,
    KL + "\nkl_standard",
    KL + "\nget_ipython().run_line_magic('whos', '')",
    KL.replace("    ### BEGIN", "    display(mu); print(mu)\n    ### BEGIN"),
    "from __future__ import annotations\n" + KL,
    "%conda install nothing\n%mamba install nothing\n" + KL,
    "import faulthandler, sys\nfaulthandler.enable()\nsys.stdout.encoding.lower()\n" + KL,
    "import subprocess, sys\nsubprocess.run(['true'], stdout=sys.stdout, check=True)\n" + KL,
    "import matplotlib\nmatplotlib.use('TkAgg')\nmatplotlib.pyplot.figure()\n" + KL,
    KL + "\nclass Own(Exception):\n    def __str__(self): return self.gone\nraise Own",
    "kl_standard = lambda mu, logvar: 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1)",
]


@pytest.mark.parametrize(
    "source", often(IN_JUPYTER, 3, lambda source: source.replace(KL, "KL")[:30])
)
def test_what_runs_in_jupyter_keeps_its_marks(source: str) -> None:
    notebook = answered("1_elbo", {"elbo-kl": source})
    assert outcome("1_elbo", notebook, about="elbo-kl").n_failed == 0


# What a cell may start that has threads, and `work`, which needs them in later cells and in tests.
THREADS = {
    "torch": "import torch\ntorch.set_num_threads(4)\na = torch.ones(600, 600)\n"
    "def work(): return (a @ a).exp().sum()",
    "linear algebra": "import threadpoolctl\nthreadpoolctl.threadpool_limits(4)\n"
    "a = np.random.default_rng(0).normal(size=(300, 300))\ndef work(): return np.linalg.svd(a)",
    "OpenMP": "import threadpoolctl\nfrom sklearn.cluster import KMeans\n"
    "threadpoolctl.threadpool_limits(4)\na = np.random.default_rng(0).normal(size=(3000, 5))\n"
    "def work(): return KMeans(5, n_init=1).fit(a)",
    "joblib": "import joblib\n"
    "def work(): return joblib.Parallel(n_jobs=2)(joblib.delayed(abs)(i) for i in range(9))",
    "numba": "import numba\nnumba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))\n"
    "@numba.njit(parallel=True)\ndef work():\n    total = 0\n"
    "    for i in numba.prange(1000): total += i\n    return total",
    "executor": "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(2)\n"
    "def work(): return list(pool.map(abs, range(9)))",
    "shell": "def work(): return get_ipython().run_cell_magic('bash', '', 'echo 1')",
    "pool": "from multiprocessing.pool import ThreadPool\npool = ThreadPool(2)\n"
    "def work(): return pool.map(abs, range(9))",
}


@pytest.mark.parametrize("kind", often(list(THREADS), 3))
def test_threads_that_a_cell_starts_stop_nothing_that_comes_later(kind: str) -> None:
    if kind == "numba":
        pytest.importorskip("numba")
    rate = code("5_beta", "beta-rate").replace("return", "work()\n    return")
    notebook = answered("5_beta", {"beta-rate": rate})
    first = "import numpy as np\n" + THREADS[kind]
    notebook.cells[:0] = map(nbformat.v4.new_code_cell, (first, "work()", "work()"))
    found = outcome("5_beta", notebook, sandbox.Limits(clock=20.0), about="beta-rate")
    assert not found.late
    assert found.n_failed == 0


# What a cell leaves running, and the next one needs.
LEFT = {
    "a bare thread": "import _thread\n_thread.start_new_thread(work, ())",
    "a thread": "import threading\nthreading.Thread(target=work).start()",
    "a timer": "import threading\nthreading.Timer(0.1, work).start()",
    "a bare thread with a lock": "import _thread\nlock = _thread.allocate_lock()\ndef locked():\n"
    "    with lock: work()\n_thread.start_new_thread(locked, ())",
    "an executor": "from concurrent.futures import ThreadPoolExecutor\n"
    "pool = ThreadPoolExecutor(1)\nfuture = pool.submit(work)",
    "a pool": "from multiprocessing.pool import ThreadPool\npool = ThreadPool(1)\n"
    "future = pool.apply_async(work)",
}


def test_what_a_cell_leaves_running_is_done_before_the_next_one() -> None:
    work = "import time\ndone = []\ndef work():\n    time.sleep(0.2)\n    done.append(1)\n"
    notebook = solved("5_beta")
    cells = [part for start in LEFT.values() for part in (work + start, "assert done == [1]")]
    cells.append("assert not lock.locked()\nimport _thread\n_thread.start_new_thread(work, ())")
    notebook.cells[:0] = map(nbformat.v4.new_code_cell, cells)
    found = outcome("5_beta", notebook, sandbox.Limits(clock=20.0), about="beta-rate")
    assert found.remarks == []
    assert found.n_failed == 0


def test_a_notebook_that_waits_for_ever_has_an_end_by_the_clock() -> None:
    notebook = solved("5_beta")
    waiting = nbformat.v4.new_code_cell("import threading\nthreading.Event().wait()")
    notebook.cells[:0] = [waiting] * 9
    start = time.monotonic()
    found = outcome("5_beta", notebook, sandbox.Limits(clock=1.0, submission=3.0))
    assert time.monotonic() - start < 2 * 3.0 + 10.0
    assert "the notebook took longer than 3 s by the clock in all and was ended" in found.remarks
    assert {*found.errors.values()} == {"not run: the notebook took longer than 3 s by the clock"}


def test_who_waits_too_long_is_told_of_the_clock() -> None:
    wait = "import time; time.sleep(60)"
    notebook = answered("5_beta", {"beta-rate": f"def rate(mu, logvar):\n    {wait}"})
    notebook.cells.insert(0, nbformat.v4.new_code_cell(wait))
    found = outcome("5_beta", notebook, sandbox.Limits(clock=1.0), about="beta-rate")
    assert any("longer than 1 s by the clock" in remark for remark in found.remarks)
    assert found.errors["beta-rate-1"] == "took longer than 1 s by the clock"


def test_a_module_that_a_cell_has_written_can_be_imported() -> None:
    notebook = answered("1_elbo", {"elbo-kl": "from helper import kl_standard"})
    module = nbformat.v4.new_code_cell("%%writefile helper.py\nimport numpy as np\n" + KL)
    notebook.cells.insert(0, module)
    assert outcome("1_elbo", notebook, about="elbo-kl").n_failed == 0


def test_a_syntax_error_costs_its_own_part_only() -> None:
    notebook = answered("5_beta", {"beta-rate": "def rate(mu, logvar)\n    return 0"})
    assert failed("5_beta", notebook) == {"beta-rate-1", "beta-rate-2"}


@two
def test_a_part_that_is_not_written_costs_its_own_points_only(name: str) -> None:
    """Also where all that follows calls it."""
    assignment = MASTERS[name]
    cell = next(iter(assignment.cell_of.values()))
    part = {function for function, place in assignment.cell_of.items() if place == cell}
    own = {test for test in assignment.tests if part & {*assignment.exam.tested(test)}}
    assert failed(name, answered(name, {cell: assignment.released[cell]})) == own


def test_what_is_wrong_is_told_where_an_earlier_part_is_not_written() -> None:
    wrong = "def elbo(x, mu, logvar, epsilon, decode):\n    return -kl_standard(mu, logvar)"
    sources = {"elbo-kl": MASTERS["1_elbo"].released["elbo-kl"], "elbo-estimator": wrong}
    said = outcome("1_elbo", answered("1_elbo", sources)).errors
    assert "it should be" in said["elbo-estimator-1"]
    assert not said["elbo-model-1"]


@pytest.mark.parametrize(
    "source",
    [
        "def rate(mu, logvar):\n    import os; os._exit(0)",
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        *(
            pytest.param(source, marks=pytest.mark.weekly)
            for source in (
                "def rate(mu, logvar):\n    while True:\n        try:\n"
                "            while True: pass\n        except BaseException: pass",
                "while True: pass",
                "kept = []\nwhile True: kept.append([0] * 1000)",
                "def rate(mu, logvar):\n    while True: pass",
                "def rate(mu, logvar):\n    raise SystemExit",
                "def rate(mu, logvar):\n    return rate(mu, logvar)",
                "def rate(mu, logvar):\n    return np.ones((10**6, 10**6)).sum()",
                "def rate(mu, logvar):\n    return {}",
                "import sys; sys.exit(0)",
                "import os; os._exit(0)",
                "input('your name')",
                "while True: print('for ever')",
            )
        ),
    ],
)
def test_a_cell_that_does_not_end_or_ends_python_costs_its_own_part_only(source: str) -> None:
    notebook = answered("5_beta", {"beta-rate": source})
    assert failed("5_beta", notebook, QUICK) == {"beta-rate-1", "beta-rate-2"}


def test_sleeping_is_no_work_but_has_an_end() -> None:
    rate = code("5_beta", "beta-rate")
    notebook = answered("5_beta", {"beta-rate": "import time; time.sleep(1.5)\n" + rate})
    assert failed("5_beta", notebook, QUICK) == set()
    notebook = answered("5_beta", {"beta-rate": "import time; time.sleep(60)\n" + rate})
    limits = sandbox.Limits(processor=1.0, clock=2.0)
    assert failed("5_beta", notebook, limits) == {"beta-rate-1", "beta-rate-2"}


def test_what_ran_out_of_time_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tests = MASTERS["5_beta"].exam.tests
    late = sandbox.Outcome(dict.fromkeys(tests, "took longer"), late=True)
    answers = iter([late, sandbox.Outcome(dict.fromkeys(tests, ""))])
    monkeypatch.setattr(sandbox, "_once", lambda *_: next(answers))
    assert sandbox.run(sandbox.Plan([], MASTERS["5_beta"].exam, SEED)).n_failed == 0


# ---------------------------------------------------------------------------------------------
# What comes back from students


def test_a_changed_or_deleted_test_is_the_masters_again() -> None:
    notebook = answered("1_elbo", {"elbo-kl": "def kl_standard(mu, logvar): return 0"})
    notebook.cells = [c for c in notebook.cells if c.metadata.nbgrader.grade_id != "elbo-kl-2"]
    for cell in notebook.cells:
        if cell.metadata.nbgrader.grade_id == "elbo-kl-1":
            cell.source = "assert True"
    found = submissions.part(notebook, MASTERS["1_elbo"])
    assert failed("1_elbo", notebook) == {"elbo-kl-1", "elbo-kl-2", "elbo-kl-3"}
    assert found.remarks == [
        "elbo-kl-1 was changed; the original was used",
        "elbo-kl-2 is missing",
    ]


def without_metadata(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """As some editors save it."""
    for cell in notebook.cells:
        cell.metadata = {}
    return notebook


@two
def test_cells_and_proofs_are_known_when_an_editor_drops_the_metadata(name: str) -> None:
    notebook = without_metadata(answered(name, {}))
    found = submissions.part(notebook, MASTERS[name])
    assert failed(name, notebook) == set()
    assert list(found.answers) == list(MASTERS[name].written)
    assert found.remarks == []


def copied(cells: list[Any]) -> list[Any]:
    """Each cell that is to be filled in, with an untouched copy below it."""
    released = masters.release(MASTERS["1_elbo"]).cells
    doubled = []
    for cell, stub in zip(cells, released, strict=True):
        doubled.append(cell)
        if cell.metadata.nbgrader.solution:
            doubled.append(stub)
    return doubled


def halved(cells: list[Any]) -> list[Any]:
    """A solution split into two cells, of which the second has no name."""
    cells = list(cells)
    at = next(i for i, c in enumerate(cells) if c.metadata.nbgrader.grade_id == "elbo-kl")
    lines = "c = 0.5\n\n" + KL.replace("0.5", "c")
    first, second = lines.split("\n\n", 1)
    cells[at].source = first
    cells.insert(at + 1, nbformat.v4.new_code_cell(second))
    return cells


@pytest.mark.parametrize(
    "change",
    [
        copied,
        halved,
        lambda cells: [cells[1], *[c for c in cells if c.metadata.nbgrader.solution]],
        lambda cells: cells[:2] + cells[:1:-1],
        lambda cells: [*cells, nbformat.v4.new_code_cell("raise ValueError")],
    ],
    ids=["copied", "split", "nothing else", "upside down", "an error at the end"],
)
def test_cells_may_be_copied_split_and_moved(change: Any) -> None:
    notebook = copy.deepcopy(MASTERS["1_elbo"].notebook)
    notebook.cells = change(notebook.cells)
    assert failed("1_elbo", notebook) == set()
    assert submissions.part(notebook, MASTERS["1_elbo"]).answers


def test_code_typed_into_a_copy_of_a_test_counts() -> None:
    notebook = answered("1_elbo", {"elbo-kl": "pass"})
    test = copy.deepcopy(MASTERS["1_elbo"].cells["elbo-kl-2"])
    test.source = test.source.split("\n")[0] + "\n" + KL
    notebook.cells.insert(5, test)
    assert failed("1_elbo", notebook) == set()


def test_a_name_of_a_given_cell_is_free_for_students() -> None:
    helper = "def calibrated_elbo(d, r, p):\n    return p / 2 * np.log(d / p) + r\n\n"
    source = "def choose_beta(b, r, d, p):\n    return b[calibrated_elbo(d, r, p).argmin()]"
    notebook = answered("5_beta", {"beta-choose": helper + source})
    assert failed("5_beta", notebook) == set()


FORGET = [
    "for model in [None]: pass\nimages = digits = stats = np = 0",
    "del model, np",
    "%reset -f",
    "get_ipython().run_line_magic('reset', '-f')",
]


@pytest.mark.parametrize("last", often(FORGET, 2))
def test_a_later_cell_may_take_the_name_of_something_given_or_forget_it(last: str) -> None:
    assert failed("1_elbo", solved("1_elbo", last)) == set()


def test_a_given_name_that_a_student_uses_in_another_sense_keeps_it() -> None:
    given = copy.deepcopy(MASTERS["1_elbo"].notebook)
    place = next(i for i, c in enumerate(given.cells) if "elbo-given" in str(c.metadata))
    given.cells.insert(place + 1, nbformat.v4.new_code_cell("model = [model]"))
    for cell in given.cells[place + 2 :]:
        if cell.cell_type == "code" and cell.metadata.nbgrader.solution:
            cell.source = re.sub(r"\bmodel\b", "model[0]", cell.source)
    assert failed("1_elbo", given) == set()
    # Also where an earlier part is wrong, for which alone it pays.
    kl = next(cell for cell in given.cells if "def kl_standard" in cell.source)
    kl.source = "def kl_standard(mu, logvar):\n    return 0 * mu[:, 0]"
    assert failed("1_elbo", given) == {"elbo-kl-1", "elbo-kl-2", "elbo-kl-3"}


STUB = masters.ANSWER
PICTURE = {"proof.png": {"image/png": "iVBORw0KGgo="}}


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ([("5_beta", "My proof.")], "My proof."),
        ([("5_beta", STUB), ("", "Below.")], "Below."),
        ([("5_beta", "First."), ("5_beta", "Second.")], "First.\n\nSecond."),
        ([("5_beta", "First."), ("", "Second.")], "First.\n\nSecond."),
        ([("5_beta", "Filled."), ("5_beta", STUB)], "Filled."),
        ([("5_beta", STUB), ("5_beta", "Filled.")], "Filled."),
        ([("", "No name.")], "No name."),
        ([("5_beta", "![proof](attachment:proof.png)")], "![proof](attachment:proof.png)"),
    ],
)
def test_a_proof_is_found_wherever_it_stands(cells: list[tuple[str, str]], text: str) -> None:
    notebook = answered("5_beta", {})
    place = next(i for i, c in enumerate(notebook.cells) if masters.grade_id(c) == "beta-proof")
    del notebook.cells[place]
    for name, source in reversed(cells):
        cell = nbformat.v4.new_markdown_cell(source)
        if name:
            cell.metadata.nbgrader = {"grade_id": "beta-proof"}
        if "attachment" in source:
            cell.attachments = PICTURE
        notebook.cells.insert(place, cell)
    found = submissions.part(notebook, MASTERS["5_beta"])
    assert found.answers["beta-proof"] == text
    assert found.images["beta-proof"] == (
        ["data:image/png;base64,iVBORw0KGgo="] if "attachment" in text else []
    )


def write(path: Path, notebook: nbformat.NotebookNode) -> Path:
    """Write a notebook into a folder that need not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    """The lines of a CSV file."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


BETA = MASTERS["5_beta"].notebook


def test_flat_nested_and_zipped_downloads_are_read_and_others_refused_by_name(
    tmp_path: Path,
) -> None:
    place = tmp_path / "downloads"
    write(place / "lovelaceada_123_456_5_beta.ipynb", BETA)
    write(place / "hopper_LATE_12_34_5_beta.ipynb", BETA)
    write(place / "Emmy Noether_99_assignsubmission_file_" / "5_beta.ipynb", BETA)
    write(place / "_anna" / "a" / "b" / "5_BETA.IPYNB", BETA)
    write(place / "whose.ipynb", BETA)
    write(place / "zoe" / "x.ipynb", BETA)
    with zipfile.ZipFile(place / "zoe" / "all.zip", "w") as archive:
        archive.write(place / "zoe" / "x.ipynb", "week/5_beta.ipynb")
        archive.writestr("__MACOSX/._5_beta.ipynb", "")
        archive.writestr("inner.zip", "")
    (place / "zoe" / "x.ipynb").unlink()
    (place / "kurt").mkdir()
    (place / "kurt" / "5_beta.py").write_text("rate = 1", encoding="utf-8")
    (place / "kurt" / "link.ipynb").symlink_to(place / "whose.ipynb")
    (place / "kurt" / "gone.ipynb").symlink_to("nowhere")
    os.mkfifo(place / "kurt" / "pipe.ipynb")
    (place / "bert").mkdir()
    students, strays = submissions.collect(place)
    found = {name: [f.name for f in student.files] for name, student in students.items()}
    assert found == {
        "Emmy Noether": ["5_beta.ipynb"],
        "_anna": ["a/b/5_BETA.IPYNB"],
        "bert": [],
        "hopper": ["5_beta.ipynb"],
        "kurt": [],
        "lovelaceada": ["5_beta.ipynb"],
        "zoe": ["all.zip/week/5_beta.ipynb"],
    }
    assert strays == ["whose.ipynb lies in no student's folder"]
    assert sorted(students["kurt"].refused) == [
        "5_beta.py is no notebook (.ipynb), PDF or picture",
        "gone.ipynb is no file but a link or a device",
        "link.ipynb is no file but a link or a device",
        "pipe.ipynb is no file but a link or a device",
    ]
    assert students["zoe"].refused == ["all.zip/inner.zip is a zip within a zip"]


def test_a_notebook_whose_name_a_browser_has_changed_is_read(tmp_path: Path) -> None:
    text = nbformat.writes(BETA).encode()
    read = {
        "5_beta.ipynb.txt": text,
        "5_beta.txt": text,
        "5_beta.ipynb.download": text,
        "5_beta.json": b"\xef\xbb\xbf" + text,
        "5_beta": b"\n" + text,
    }
    others = {"notes.txt": b'{"a": 3}', "data.json": b'{"cells_": 3}', "torn": b'["cells"]'}
    others["x.html"] = text
    (tmp_path / "ada").mkdir()
    for name, data in (read | others).items():
        (tmp_path / "ada" / name).write_bytes(data)
    ada = submissions.collect(tmp_path)[0]["ada"]
    assert {file.name for file in ada.files} == set(read)
    assert all(submissions.read(file).cells for file in ada.files)
    refused = sorted(f"{name} is no notebook (.ipynb), PDF or picture" for name in others)
    assert sorted(ada.refused) == refused


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{ torn",
        "[]",
        "[" * 5_000,
        '{"cells": [{"source": "x"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
        '{"cells": 3, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
    ],
)
def test_what_is_no_notebook_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"^x\.ipynb is no notebook"):
        submissions.read(submissions.File("x.ipynb", text.encode(), 0.0))


def test_odd_metadata_and_odd_characters_are_read() -> None:
    cells = [
        {"cell_type": "code", "metadata": {"nbgrader": None}, "source": "a = 1\r\n", "id": "a"},
        {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": None}}, "source": "b = 1"},
        {"cell_type": "markdown", "metadata": {}, "source": ["\ud800 lone"]},
    ]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
    notebook = submissions.read(submissions.File("x.ipynb", b"\xef\xbb\xbf" + text.encode(), 0.0))
    assert [c.source for c in notebook.cells] == ["a = 1\n", "b = 1", "? lone"]
    assert [c for _, c in submissions.part(notebook, MASTERS["1_elbo"]).cells][-2:] == [
        "a = 1\n",
        "b = 1",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("empty", [True, False])
def test_a_notebook_that_lacks_all_metadata_is_read_in_any_unicode(
    encoding: str, empty: bool
) -> None:
    notebook = json.loads(nbformat.writes(BETA))
    for part in (notebook, *notebook["cells"]):
        del part["metadata"]
        part |= {"metadata": None} if empty else {}
    if empty:
        notebook["cells"].append({"cell_type": "markdown", "source": None})
        del notebook["nbformat"], notebook["nbformat_minor"]
    data = json.dumps(notebook).encode(encoding)
    found = submissions.part(
        submissions.read(submissions.File("x.ipynb", data, 0.0)), MASTERS["5_beta"]
    )
    assert found.n_filled == len(MASTERS["5_beta"].functions) + len(MASTERS["5_beta"].written)


@pytest.mark.parametrize("text", ['{"type": "FeatureCollection"}', "[1, 2]", "null", '"cells"'])
def test_json_of_something_else_is_said_to_be_that(text: str) -> None:
    with pytest.raises(ValueError, match=r"x\.ipynb is no notebook .*: .* that of something else"):
        submissions.read(submissions.File("x.ipynb", text.encode(), 0.0))


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of submissions as they come, graded from the command line, once for all workers."""
    base = tmp_path_factory.getbasetemp()
    first = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "a graded course"
    with FileLock(f"{first}.lock"):
        if not (first / "said").exists():
            grade_a_course(first)
    return Path(shutil.copytree(first, base / "a course"))


def grade_a_course(folder: Path) -> None:
    place = folder / "sub missions"
    for name in ("1_elbo", "5_beta"):
        write(place / "ada" / f"{name}.ipynb", MASTERS[name].notebook)
    write(place / "bob" / "5_beta (1).ipynb", BETA)
    os.utime(place / "bob" / "5_beta (1).ipynb", (1, 1))
    write(place / "bob" / "5_beta.ipynb", masters.release(MASTERS["5_beta"]))
    (place / "bob" / "1_elbo.ipynb").write_text("{ torn", encoding="utf-8")
    (place / "cy").mkdir()
    (place / "cy" / "5_beta.py").write_text("rate = 1", encoding="utf-8")
    write(place / "=SUM(A1)" / "5_beta.ipynb", masters.release(MASTERS["5_beta"]))
    write(place / "whose.ipynb", BETA)
    (folder / "said").write_text(command(folder, "--seed", "5").stdout, encoding="utf-8")


def command(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Grade a folder from the command line."""
    main = [sys.executable, str(ROOT / "assignments" / "course.py"), *arguments(folder, *options)]
    return subprocess.run(main, cwd=folder, capture_output=True, text=True, check=False)


def arguments(folder: Path, *options: str) -> list[str]:
    """What is asked of the command line."""
    grades = ["--output", str(folder / "grades"), "--jobs", "1"]
    return ["grade", str(folder / "sub missions"), *grades, *options]


@pytest.mark.skipif(not Path("/proc").exists(), reason="nothing says what is loaded")
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_an_interruption_while_libraries_are_loaded_says_nothing(
    tmp_path: Path, library: str
) -> None:
    main = [sys.executable, str(ROOT / "assignments" / "course.py"), *arguments(tmp_path)]
    process = subprocess.Popen(main, stderr=subprocess.PIPE, text=True)
    loaded = Path(f"/proc/{process.pid}/maps")
    while f"/{library}/" not in loaded.read_text(encoding="utf-8"):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode in (-signal.SIGINT, 130)


def grades(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The lines of grades.csv by student and assignment."""
    return {(r["student"], r["assignment"]): r for r in rows(folder / "grades" / "grades.csv")}


def test_a_line_for_each_student_and_each_assignment_that_was_set(graded: Path) -> None:
    found = grades(graded)
    names = ("'=SUM(A1)", "ada", "bob", "cy")
    assert sorted(found) == sorted((s, a) for s in names for a in ("1_elbo", "5_beta"))
    assert found["ada", "1_elbo"]["automatic"] == found["bob", "5_beta"]["automatic"] == "25"
    assert "no notebook" in found["bob", "1_elbo"]["status"]
    assert found["'=SUM(A1)", "1_elbo"]["status"] == "missing"
    assert "5_beta.py is no notebook" in found["cy", "5_beta"]["status"]
    assert found["'=SUM(A1)", "5_beta"]["total"] == ""
    assert {r["seed"] for r in found.values()} == {"5"}


def test_the_seed_and_what_was_not_graded_are_said_aloud(graded: Path) -> None:
    said = (graded / "said").read_text(encoding="utf-8")
    assert "Seed 5;" in said
    assert "NOT GRADED: whose.ipynb" in said


def test_feedback_names_each_test_its_points_and_what_it_said(graded: Path) -> None:
    for student in ("ada", "bob", "cy"):
        for name in ("1_elbo", "5_beta"):
            page = graded / "grades" / "feedback" / student / f"{name}.html"
            text = page.read_text(encoding="utf-8")
            assert all(test in text for test in MASTERS[name].tests)
            assert MASTERS[name].title in text


def test_only_what_has_changed_is_run_again_and_what_was_typed_stays(graded: Path) -> None:
    prepared = graded / "grades" / "written.csv"
    text = prepared.read_text(encoding="utf-8-sig")
    # As a European Excel saves it.
    text = re.sub(r"^(ada,5_beta,beta-proof),,5,,", r"\1,3;5,5,schön,", text, flags=re.M)
    text = re.sub(r"^(ada,5_beta,beta-words),,5,", r"\1,4,5,", text, flags=re.M)
    assert "3;5" in text
    prepared.write_bytes(
        text.replace(";", "§").replace(",", ";").replace("§", ",").encode("cp1252")
    )
    before = grades(graded)
    other = answered("5_beta", {"beta-rate": "rate = 1"}, released=True)
    write(graded / "sub missions" / "dan" / "5_beta.ipynb", other)
    result = command(graded, "--assignment", "5_beta")
    assert "need not be run again" in result.stdout
    assert len(re.findall(r" 5_beta +\d+ of 25  graded", result.stdout)) == 1
    after = grades(graded)
    assert after["ada", "5_beta"]["total"] == "32.5"
    assert after["ada", "1_elbo"] == before["ada", "1_elbo"]
    assert after["dan", "5_beta"]["seed"] == "5"
    (line,) = [r for r in rows(prepared) if (r["student"], r["points"]) == ("ada", "3.5")]
    assert line["comment"] == "schön"
    page = graded / "grades" / "feedback" / "ada" / "5_beta.html"
    assert "schön" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("student,question,points\nada,beta-proof,7\n", "between 0 and"),
        ("student,question,points\nada,beta-proof,x\n", "between 0 and"),
        ("student,question,points\nada,nothing,3\n", "between 0 and"),
        ("student,points\nada,3\n", "must have columns question"),
        ("student,question,points\nada,beta-proof,2,5\n", "line 2: there are more cells"),
        (
            "student,question,points\nada,beta-proof,2\nbob,beta-proof,2\nada,beta-proof,4\n",
            "line 4: ada, beta-proof: other points or another comment stand in line 2",
        ),
        (
            "student,question,points,comment\nada,beta-proof,2,Yes\nada,beta-proof,2,No\n",
            "line 3: ada, beta-proof: other points or another comment stand in line 2",
        ),
        ("student,question,points\nZ?ak,beta-proof,3\n", "may be a letter that was lost"),
        ("student,question,points\nnobody,beta-proof,3\n", "have handed in nothing: nobody"),
    ],
)
def test_marks_that_cannot_be_are_refused(
    graded: Path, table: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (graded / "filled.csv").write_text(table, encoding="utf-8")
    with pytest.raises(SystemExit, match="2"):
        course.main(arguments(graded, "--written", str(graded / "filled.csv")))
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--student", "eve"], "STUDENT must be one of"), (["--assignment", "6"], "ASSIGNMENT must")],
)
def test_a_student_or_an_assignment_that_is_not_there_is_refused(
    graded: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        course.main(arguments(graded, *options))
    assert message in capsys.readouterr().err


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


@pytest.mark.weekly
def test_nbgrader_releases_the_same_and_grades_the_same(tmp_path: Path) -> None:
    pytest.importorskip("nbgrader")
    from nbgrader.api import Gradebook

    name = "5_beta"
    write(tmp_path / "source" / name / f"{name}.ipynb", MASTERS[name].notebook)
    nbgrader(tmp_path, "generate_assignment", name)
    theirs = nbformat.read(tmp_path / "release" / name / f"{name}.ipynb", as_version=4)
    assert sources(theirs.cells) == sources(masters.release(MASTERS[name]).cells)
    wrong = next(a for a in bank.WRONG if a.title == "the rate in bits")
    notebook = answered(name, {}, released=True)
    for cell, master in zip(notebook.cells, MASTERS[name].notebook.cells, strict=True):
        if cell.metadata.nbgrader.solution:
            ours = "def rate(" in master.source
            cell.source = wrong.code if ours else master.source
    write(tmp_path / "submitted" / "eve" / name / f"{name}.ipynb", notebook)
    nbgrader(tmp_path, "autograde", name)
    with Gradebook(f"sqlite:///{tmp_path}/book.db") as book:
        submission = book.find_submission(name, "eve")
        # There the part with trained models inherits the rate.
        lost = {*wrong.loses, "beta-model-1", "beta-model-2"}
        assert submission.score == 25 - sum(MASTERS[name].tests[t] for t in lost)
