"""Every labelled result of the book has a test that bears its name, and the other way round.

The label `thm:elbo-gap` asks for a function `test_thm_elbo_gap`, in any file of this folder.
"""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

# Remarks, examples and proofs claim nothing by themselves; an assumption can't be tested.
PREFIXES = {
    "theorem": "thm",
    "lemma": "lem",
    "proposition": "prop",
    "corollary": "cor",
    "definition": "def",
    "algorithm": "alg",
    "criterion": "crit",
    "property": "property",
    "conjecture": "conj",
}
KINDS = "|".join(PREFIXES)


def prose(path: Path) -> str:
    """Return the markdown of a chapter."""
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def labels(text: str) -> list[str | None]:
    """Return the label of each result in a chapter's markdown, None where it lacks one."""
    found = []
    options = r"((?:\s*:[\w-]+:[^\n]*\n)*)"
    pattern = rf"^\s*(`{{3,}}|:{{3,}})\{{prf:({KINDS})\}}[^\n]*\n{options}"
    for match in re.finditer(pattern, text, flags=re.MULTILINE):
        label = re.search(r":label:\s*(\S+)", match[3])
        found.append(label[1] if label else None)
    return found


def test_name(label: str) -> str:
    """Return the name of the test that a label asks for."""
    return "test_" + re.sub(r"[^0-9a-z]+", "_", label.lower())


test_name.__test__ = False  # type: ignore[attr-defined]


CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb")) + sorted((ROOT / "chapters").glob("*.md"))
LABELS = {path.name: labels(prose(path)) for path in CHAPTERS}
TESTS = [
    name
    for path in sorted((ROOT / "tests").rglob("test_*.py"))
    for name in re.findall(r"^ *def (\w+)", path.read_text(encoding="utf-8"), re.M)
]


@pytest.mark.parametrize("chapter", LABELS)
def test_every_result_has_a_label_and_a_test_named_after_it(chapter: str) -> None:
    assert None not in LABELS[chapter], f"{chapter}: a result without a label"
    lacking = [label for label in LABELS[chapter] if label and test_name(label) not in TESTS]
    assert not lacking, f"{chapter}: no test for " + ", ".join(
        f"{label} (wanted: {test_name(label)})" for label in lacking
    )


def test_no_two_results_share_a_label_or_a_test_name() -> None:
    names = Counter(test_name(label) for found in LABELS.values() for label in found if label)
    assert [name for name, count in names.items() if count > 1] == []


def test_every_test_named_after_a_result_finds_it_in_the_book() -> None:
    known = {test_name(label) for found in LABELS.values() for label in found if label}
    named = [name for name in TESTS if re.match(rf"test_({'|'.join(PREFIXES.values())})_", name)]
    assert [name for name in named if name not in known] == []


def test_the_search_finds_results_and_notices_missing_labels() -> None:
    text = (
        "```{prf:theorem} Of Bayes\n:label: thm:bayes\n\nText.\n```\n"
        "````{prf:lemma}\n:class: dropdown\n:label: lem:two-words\n\n````\n"
        "```{prf:proposition} Bare\n\nNo label: here.\n```\n"
        "```{prf:proof}\n:label: not-a-result\n```\n"
        ":::{prf:corollary}\n:label: cor:colon\n:::\n"
    )
    assert labels(text) == ["thm:bayes", "lem:two-words", None, "cor:colon"]
    assert test_name("lem:two-words") == "test_lem_two_words"
    assert "test_the_search_finds_results_and_notices_missing_labels" in TESTS


def test_the_search_reads_every_directive_of_the_book() -> None:
    for path in CHAPTERS:
        directives = re.findall(rf"\{{prf:(?:{KINDS})\}}", prose(path))
        assert len(directives) == len(LABELS[path.name]), path.name
