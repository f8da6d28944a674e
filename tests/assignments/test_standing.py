"""What stands for a student: each case of the table by itself, and what holds in all of them."""

import itertools

import pytest

from standing import KINDS, before, stands

# notebook, papers, refused, due, before: what stands
CASES = {
    "a notebook that is filled in is run": ("filled", "", False, False, "", "run"),
    "also when one was graded before": ("filled", "", False, True, "filled", "run"),
    "also beside a file that cannot be read": ("filled", "", True, True, "", "run"),
    "a grade stays when nothing is there": ("", "", False, True, "filled", "before"),
    "it stays beside an empty copy": ("untouched", "", False, True, "filled", "before"),
    "it stays beside a torn file": ("unreadable", "", False, True, "filled", "before"),
    "it stays beside paper": ("", "named", False, True, "filled", "before"),
    "it stays beside another file": ("", "", True, True, "filled", "before"),
    "a torn notebook is told": ("unreadable", "", False, False, "", "unreadable"),
    "it is told though it has paper with it": (
        "unreadable",
        "named",
        True,
        True,
        "",
        "unreadable",
    ),
    "it takes the place of an empty one": (
        "unreadable",
        "",
        False,
        True,
        "untouched",
        "unreadable",
    ),
    "an empty copy sets nothing": ("untouched", "", False, False, "", ""),
    "an empty copy is run when it is due": ("untouched", "", False, True, "", "run"),
    "or when there is a line to fill": ("untouched", "", False, False, "missing", "run"),
    "or when paper comes with it": ("untouched", "named", False, False, "", "run"),
    "paper with a name stands for itself": ("", "named", False, False, "", "paper"),
    "paper without one only when it is due": ("", "unnamed", False, False, "", ""),
    "and then it does": ("", "unnamed", False, True, "", "paper"),
    "paper takes the place of missing": ("", "named", False, True, "missing", "paper"),
    "paper takes the place of an empty copy": ("", "unnamed", False, False, "untouched", "paper"),
    "paper stays when it has been put away": ("", "", False, True, "paper", "before"),
    "it stays though another file is there": ("", "", True, True, "paper", "before"),
    "an empty copy stays when it was put away": ("", "", False, False, "untouched", "before"),
    "another file is told when it is due": ("", "", True, True, "", "refused"),
    "it is told in place of missing": ("", "", True, True, "missing", "refused"),
    "it is told anew": ("", "", True, True, "unreadable", "refused"),
    "it sets nothing": ("", "", True, False, "", ""),
    "what could not be read stays told": ("", "", False, True, "unreadable", "before"),
    "what is due is missing": ("", "", False, True, "", "missing"),
    "it is still missing": ("", "", False, True, "missing", "missing"),
    "it is missing no more on another date": ("", "", False, False, "missing", ""),
    "what is not due has no line": ("", "", False, False, "", ""),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_case_of_the_table(case: tuple[str, str, bool, bool, str, str]) -> None:
    *what, stand = case
    assert stands(*what) == stand


EVERY = list(
    itertools.product(
        KINDS["notebook"], KINDS["papers"], (False, True), (False, True), KINDS["before"]
    )
)


def test_in_no_case_is_work_lost_or_nothing_given_a_zero() -> None:
    for case in EVERY:
        notebook, papers, refused, due, there = case
        stand = stands(*case)
        # What a student has filled in stands, now or before; nothing less replaces it.
        assert (stand == "run") or notebook != "filled", case
        assert (stand in ("run", "before")) or there != "filled", case
        # Nothing becomes of nothing: no line where nothing is due and nothing was or is there.
        if not (due or notebook in ("filled", "unreadable") or papers == "named" or there):
            assert stand == "", case
        # Missing is only who has handed in nothing at all.
        if stand == "missing":
            assert (notebook, papers, refused) == ("", "", False), case
        # What is due has a line.
        assert stand or not due, case
        # What is said to be there is there.
        assert stand != "paper" or papers, case
        assert stand != "before" or there, case


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (None, ""),
        ({"status": "graded", "filled": "4"}, "filled"),
        ({"status": "graded", "filled": "0"}, "untouched"),
        ({"status": "graded"}, "filled"),  # a table of an earlier version
        ({"status": "not graded: the sandbox has ended", "filled": "4"}, "filled"),
        ({"status": "no notebook, but proof.pdf", "filled": "0"}, "paper"),
        ({"status": "missing", "filled": "0"}, "missing"),
        ({"status": "x.ipynb is no notebook that can be read", "filled": "0"}, "unreadable"),
    ],
)
def test_a_line_of_the_table_says_what_it_was_about(row: dict[str, str], kind: str) -> None:
    assert before(row) == kind
