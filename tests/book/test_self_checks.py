"""The self-checks of the chapters: their form, and every numeric answer computed again."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from scipy import stats

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
QUESTION = re.compile(
    r"^::::\{admonition\} ([^\n]+)\n:class: check( numeric)?\n(.*?)^::::$", re.M | re.S
)
ANSWER = re.compile(r"^:::\{dropdown\} ([^\n]+)\n(.*?)^:::$", re.M | re.S)

SIGNS = list(product([1, -1], repeat=3))


def signed_permutation(order: tuple[int, ...], signs: tuple[int, ...]) -> tuple[float, ...]:
    """A matrix that changes order and signs of three latents."""
    return tuple((np.eye(3)[list(order)] * signs).ravel().tolist())


def variance(density: Callable[[np.ndarray], np.ndarray]) -> float:
    """The variance of a density with mean zero, known up to a factor, on a grid."""
    z = np.linspace(-10, 10, 20_001)
    return float((z**2 * density(z)).sum() / density(z).sum())


def axes(s1: float, s2: float, corr: float) -> tuple[np.ndarray, float]:
    """The eigenvalues of a covariance, the larger first, and the angle of its long axis."""
    off = corr * math.sqrt(s1 * s2)
    values, vectors = np.linalg.eigh([[s1, off], [off, s2]])
    x, y = vectors[:, 1]
    return values[::-1], math.degrees(math.atan(y / x))


def norm(s1: float, s2: float, corr: float) -> float:
    """The norm of a heatmap in a wide frame with fine pixels."""
    off = corr * math.sqrt(s1 * s2)
    precision = np.linalg.inv([[s1, off], [off, s2]])
    u = np.stack(np.meshgrid(*2 * [np.linspace(-20, 20, 801)]), -1)
    heatmap = np.exp(-0.5 * np.einsum("...i,ij,...j->...", u, precision, u))
    return float(np.linalg.norm(heatmap))


def side(pixels: int) -> int:
    """The side of an image after a convolution with stride 2 and padding 1, and a maximum."""
    block = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3, 2, 1), torch.nn.MaxPool2d(2))
    return block(torch.zeros(1, 1, pixels, pixels)).shape[-1]


def best_sigma(squared_error: float, pixels: int) -> float:
    """Where a Gaussian likelihood with this sum of squared errors is largest, on a grid."""
    sigma = np.linspace(0.01, 4, 40_000)
    loss = squared_error / (2 * sigma**2) + pixels * np.log(sigma)
    return float(sigma[loss.argmin()])


def rate(mean: float, variance: float) -> float:
    """KL from N(mean, variance) to N(0, 1), as an average over q on a grid."""
    z = mean + np.sqrt(variance) * np.linspace(-12, 12, 200_001)
    q, p = stats.norm(mean, np.sqrt(variance)), stats.norm()
    return float(np.trapezoid(q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), z))


def best_price(numbers: int) -> float:
    """The variance at which a Gaussian's loss is a multiple of the mean squared error plus KL."""
    sigma2 = np.arange(1, 20_000)
    ratio = (1 / numbers) / (1 / (2 * sigma2))  # of the weights of the squared error, KL alike
    return float(sigma2[np.abs(ratio - 1).argmin()])


# The right answer of every numeric question, by a formula or by trying.
NUMBERS: dict[str, Callable[[], float]] = {
    # 1, from autoencoders to VAEs
    "What a linear autoencoder leaves": lambda: sum(sorted([5, 3, 1, 1])[:2]),
    "Narrow and in the middle": lambda: (0.1**2 - 1 - math.log(0.1**2)) / 2,
    # 2, the ELBO
    "The price of a code": lambda: rate(2, 0.25),
    # 3, training
    "A network that knows nothing": lambda: 784 * math.log(2),
    "Half-way in fifty dimensions": lambda: math.sqrt(50 / 2),
    # 4, where the classes live
    "Two codes of one class": lambda: (0.2 + 0.4) / 2 + ((0 - 1.5) ** 2 + (3 - 1.5) ** 2) / 2,
    "Room for two classes": lambda: 1 - (0.3 * 0.7**2 + 0.7 * 0.3**2),
    # 5, a map of the classes
    "The same neighbour three times": lambda: 100 / 10**2,
    "How well two classes can be told apart": lambda: 100 * math.exp(-1.5) / 2,
    # 6, more than three dimensions
    "Copies of a model": lambda: len(
        {signed_permutation(order, signs) for order in permutations(range(3)) for signs in SIGNS}
    ),
    "Overlap by chance": lambda: 3 / 20,
    "Half as wide": lambda: -0.5 * np.linalg.slogdet(0.25 * np.eye(8))[1],
    # 7, geometry
    "Energy and length": lambda: 9 * math.sqrt(36 / 9),
    # 8, three ways to sample
    "A draw and its mean": lambda: math.sqrt(100 * 0.5 * (1 - 0.5)),
    "One code for twelve images": lambda: (1 / 1 + 12 / 0.25) ** -0.5,
    # 9, pCN
    "Accept or not": lambda: min(1, math.exp(-101.2 + 100)),
    "The exchanged ratio, without data": lambda: variance(lambda z: np.exp(-1.5 * z**2)),
    "Two steps later": lambda: (1 - 0.6**2) ** (2 / 2),
    # 10, heatmaps
    "How long is the ellipse?": lambda: math.sqrt(np.divide(*axes(1, 1, 0.6)[0])),
    "Which way does it lie?": lambda: axes(4, 1, 0.75)[1],
    "Four times as wide": lambda: norm(16 * 0.5, 16 * 0.3, 0.4) / norm(0.5, 0.3, 0.4),
    # 11, the manifold
    "What a block leaves": lambda: side(36),
    "The price of a draw": lambda: 0.5 + np.trace(np.diag([4, 9]) @ np.diag([0.04, 0.01])),
    # 12, VAE against autoencoder
    "Eleven of twelve": lambda: 100 * 2 * stats.binom(12, 0.5).sf(10),
    "Three tests": lambda: max(3 * 0.010, 2 * 0.030, 1 * 0.031),
    "Two shapes": lambda: math.dist(np.sqrt([9, 4]), np.sqrt([4, 1])),
    # 13, a fourth factor
    "What the variances allow": lambda: (
        100
        * np.mean([max(p, 1 - p) for p in np.clip((np.array([3, 4.5, 5.5, 6.5]) - 4) / 2, 0, 1)])
    ),
    "Scale and variance": lambda: 4 * stats.t(10).var(),
    # 14, beta
    "A mean over pixels": lambda: 0.001 * 32 * 32 / 2,
    "A water level": lambda: 0.5 * sum(max(0, math.log(e / 0.5)) for e in (4, 1, 0.25, 0.1)),
    "The variance that fits": lambda: best_sigma(7.84, 784),
    # 15, anchors
    "The width of the marginal prior": lambda: float(
        np.ones(2) @ (np.eye(2) + 25 * 0.04 * np.ones((2, 2))) @ np.ones(2) / 2
    ),
    "When an anchor holds": lambda: 1 / math.sqrt(8 * 0.005),
    "Enough images for the threshold": lambda: next(
        n for n in range(1, 1000) if math.floor(0.005 * (n + 1) + 1e-12) >= 1
    ),
    # 16, learned priors
    "Four posteriors far apart": lambda: stats.entropy([1, 0, 0, 0], [1 / 4] * 4),
    # 17, discrete codes
    "The slope of a sum": lambda: 0.5 * (3 - (0.5 * 3 + 0.5 * 1)),
    "The price of a number": lambda: 4 * math.log(64),
    # 18, diffusion in a latent space
    "One point": lambda: (2 - 0.6 * 2) / 0.8,
    "The shift of a scale": lambda: 2 * math.log(1 / 5.49),
    # 19, your own images
    "The mean in a loss": lambda: best_price(3 * 64 * 64),
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
    headings = re.findall(r"^## (.+)", text, re.M)
    at = headings.index("Check yourself")
    assert headings[at - 1 : at + 2] == ["Summary", "Check yourself", "Exercises"]
    assert len(re.findall("^:class: check", text, re.M)) == len(FOUND[path.stem]) in range(4, 7)
    assert any(question.numeric for question in FOUND[path.stem])


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_reader_is_asked_twice_or_more_what_will_be_seen(path: Path) -> None:
    asked = re.findall(
        r"^```\{admonition\} Predict\n:class: tip\n(.*?)^```$", prose(path), re.M | re.S
    )
    assert len(asked) >= 2
    assert all("?" in box for box in asked)


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
