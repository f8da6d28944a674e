"""The mechanical part of the book's style: spelling, numbers, and phrases that are no English."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "intro.ipynb",
    *sorted((ROOT / "chapters").glob("*.ipynb")),
    *sorted((ROOT / "chapters").glob("*.md")),
]

RATED = (
    "bits|draws|evaluations|folder|Gaussian|Gaussians|nats|numbers|parameters|pixels|seconds"
    "|steps|violin"
)
UNITS = "class|dimension|draw|epoch|image|latent|pixel|seed|second|step|student|unit"
RULES = {
    "British spelling": (
        r"\b(?:\w*(?:optimi|analy|normali|regulari|visuali|generali|factori|parameteri|standardi"
        r"|minimi|maximi|summari|margina?li|recogni|organi|initiali|equali)z(?:e|ed|er|es|ing"
        r"|ation|ations)|colors?|colored|gray|behaviors?|center(?:ed|s|ing)?|favor\w*"
        r"|neighbor\w*|modeled|modeling|labeled|labeling|fulfill|percent)\b"
    ),
    "compare with": r"\b[Hh](?:old|olding|eld) (?:\w+ ){0,4}against\b",
    "per image": rf"\b(?:{RATED}) an? (?:{UNITS})\b",
    "idioms": (
        r"\bbelongs? into\b|\b(?:is|are|was|were) owed to\b|\blets? one \w+"
        r"|\bfor the greater part\b|\b[Ww]ith which probability\b"
        r"|\b[Ww]hich \w+ ha(?:s|ve) (?:each|every)\b"
        r"|\bcan be said exactly\b|\bthe (\w+er), the \1\b|\bfrom (\w+) to \2\b"
    ),
    "a true minus sign": r"(?<![\w\u2212-])-\d",
    "no bold numbers": r"\*\*(?:[\d.,\u2212]+|\{glue:text\})\*\*",
}
# What is no prose, beside listings.
NO_PROSE = re.compile(
    r"\$\$.*?\$\$|\$[^$]*\$|`[^`\n]*`|^\(\S+\)=$|https?://\S+|\]\([^)]*\)|^:[\w-]+:[^\n]*$",
    re.DOTALL | re.MULTILINE,
)


def texts(path: Path) -> Iterator[str]:
    """Yield the prose of a page: its markdown, and the captions of its figures."""
    if path.suffix == ".md":
        yield path.read_text(encoding="utf-8")
        return
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            yield "".join(cell["source"])
        yield cell["metadata"].get("mystnb", {}).get("figure", {}).get("caption", "")


def prose(text: str) -> str:
    """Return a text without its listings; what stands in other directives stays."""
    kept, listing = [], False
    for line in text.split("\n"):
        if re.match(r"\s*(`{3,}|:{3,})", line):
            listing = not listing and bool(re.match(r"\s*`{3,}(\w|\{math\})", line))
        elif not listing:
            kept.append(line)
    return "\n".join(kept)


def faults(text: str) -> list[str]:
    """Return what breaks a rule, with the rule."""
    text = NO_PROSE.sub("", prose(text))
    return [
        f"{rule}: {text[max(0, found.start() - 30) : found.end() + 20]!r}"
        for rule, pattern in RULES.items()
        for found in re.finditer(pattern, text)
    ]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_keeps_to_the_style(path: Path) -> None:
    assert [fault for text in texts(path) for fault in faults(text)] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_list_of_sources_has_a_heading(path: Path) -> None:
    whole = "\n\n".join(texts(path))
    assert whole.count("```{bibliography}") == whole.count("## References\n\n```{bibliography}")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_computed_range_is_written_with_to(path: Path) -> None:
    assert [text for text in texts(path) if re.search(r"`\s*\u2013\s*\{glue", text)] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_normal_density_is_written_with_a_calligraphic_letter(path: Path) -> None:
    formulas = re.findall(r"\$\$.*?\$\$|\$[^$\n]+\$", "\n".join(texts(path)), re.DOTALL)
    assert [math for math in formulas if re.search(r"(?<![A-Za-z\\_{])N\(", math)] == []


@pytest.mark.parametrize(
    "text",
    [
        "The optimizer is Adam.",
        "The cells are gray.",
        "Hold the curve against the bound.",
        "It costs three nats an image.",
        "There is one folder a student.",
        ":label: thm:first\n\nIt costs three nats an image.",
        "The point belongs into the numerator.",
        "The gap is owed to the family.",
        "Which variance has each coordinate?",
        "The signal shrinks from layer to layer.",
        "They lie between -3 and 3.",
        "It is **12.5** nats.",
        "It is **{glue:text}`a:.1f`** nats.",
    ],
)
def test_a_fault_is_found(text: str) -> None:
    assert len(faults(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "The optimiser centres the grey cells; compare with $-3$ and `color=-1`.",
        "A 784-32-16 network, at \N{MINUS SIGN}3, in 2-D, with ten to a class.",
        "It holds of one against the other.",
        "The **rate** is {glue:text}`a:.1f` nats per image; see [it](a-1.html).",
        "```python\nx = -1  # optimizer\n```",
    ],
)
def test_what_is_no_fault_is_left_alone(text: str) -> None:
    assert faults(text) == []
