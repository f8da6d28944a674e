"""The self-checks of the chapters: their form, and every numeric answer computed again."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
QUESTION = re.compile(
    r"^::::\{admonition\} ([^\n]+)\n:class: check( numeric)?\n(.*?)^::::$", re.M | re.S
)
ANSWER = re.compile(r"^:::\{dropdown\} ([^\n]+)\n(.*?)^:::$", re.M | re.S)

# The right answer of every numeric question, by a formula.
NUMBERS: dict[str, Callable[[], float]] = {
    # 4, where the classes live
    "Two codes of one class": lambda: (0.2 + 0.4) / 2 + ((0 - 1.5) ** 2 + (3 - 1.5) ** 2) / 2,
    "Room for two classes": lambda: 1 - (0.3 * 0.7**2 + 0.7 * 0.3**2),
    "How well two classes can be told apart": lambda: 100 * math.exp(-1.5) / 2,
}


@dataclass
class Question:
    """One question of a self-check; of each answer the label and the sentence behind it."""

    title: str
    numeric: bool
    text: str
    answers: dict[str, str]

    @property
    def right(self) -> list[str]:
        """The labels of the answers that are called right."""
        return [label for label, reason in self.answers.items() if reason.startswith("Right")]


def prose(path: Path) -> str:
    """The markdown of a chapter."""
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def questions(text: str) -> list[Question]:
    """The questions in a chapter's markdown."""
    return [
        Question(
            title,
            bool(numeric),
            body.split(":::{dropdown}")[0].strip(),
            {label: reason.strip() for label, reason in ANSWER.findall(body)},
        )
        for title, numeric, body in QUESTION.findall(text)
    ]


FOUND = {path.stem: questions(prose(path)) for path in CHAPTERS}
ALL = [question for found in FOUND.values() for question in found]
each = pytest.mark.parametrize("question", ALL, ids=lambda question: question.title)
each_number = pytest.mark.parametrize(
    "question", [q for q in ALL if q.numeric], ids=lambda question: question.title
)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_self_check_stands_between_summary_and_exercises(path: Path) -> None:
    text = prose(path)
    if "## Check yourself" not in text:
        pytest.skip("no self-check yet")
    headings = re.findall(r"^## (.+)", text, re.M)
    at = headings.index("Check yourself")
    assert headings[at - 1 : at + 2] == ["Summary", "Check yourself", "Exercises"]
    assert len(re.findall("^:class: check", text, re.M)) == len(FOUND[path.stem]) in range(4, 7)
    assert any(question.numeric for question in FOUND[path.stem])


@each
def test_a_question_has_one_right_answer_among_several_with_a_reason_each(
    question: Question,
) -> None:
    assert question.text.count("?") >= 1
    assert 3 <= len(question.answers) <= 5
    assert len(question.right) == 1
    for label, reason in question.answers.items():
        assert len(reason.split()) >= 5, label
        assert not reason.startswith(("No.", "Wrong", "False")), "say why instead"


@each_number
def test_the_answers_of_a_numeric_question_are_different_numbers_in_order(
    question: Question,
) -> None:
    labels = [label.replace("\N{MINUS SIGN}", "-") for label in question.answers]
    numbers = [float(label) for label in labels]
    assert numbers == sorted(set(numbers)), "in order, so that their order says nothing"
    digits = {len(label.partition(".")[2]) for label in labels}
    assert len(digits) == 1, "as many decimals in each"


@each_number
def test_a_numeric_answer_is_what_the_formula_gives(question: Question) -> None:
    (label,) = question.right
    decimals = len(label.partition(".")[2])
    value = float(label.replace("\N{MINUS SIGN}", "-"))
    assert value == pytest.approx(NUMBERS[question.title](), abs=0.5 * 10**-decimals)


def test_titles_are_unique_and_every_formula_belongs_to_a_question() -> None:
    titles = [question.title for question in ALL]
    assert len(set(titles)) == len(titles)
    assert set(NUMBERS) == {question.title for question in ALL if question.numeric}


def test_the_right_answer_has_no_favourite_place() -> None:
    chosen = [question for question in ALL if not question.numeric]
    places = [list(question.answers).index(question.right[0]) for question in chosen]
    assert max(places.count(place) for place in range(4)) <= 0.5 * len(chosen)


def test_the_search_finds_questions_and_their_answers() -> None:
    text = (
        "::::{admonition} One\n:class: check numeric\n\nHow many?\n\n"
        ":::{dropdown} 1\nToo few by one.\n:::\n:::{dropdown} 2\nRight: twice one.\n:::\n::::\n"
    )
    (question,) = questions(text)
    assert (question.title, question.numeric, question.text) == ("One", True, "How many?")
    assert question.answers == {"1": "Too few by one.", "2": "Right: twice one."}
    assert question.right == ["2"]
