"""The page of the claims: a coloured overview, and each claim with what decided it.

A Sphinx extension. `.. verdicts::` shows the verdicts on all claims of the register as tiles that
lead to the claims, and `.. claims:: FAMILY` the claims of a family: words, verdict, figure, form,
and for each number the margin, the seeds, the controls and the p-value. `.. verdict:: A1 C4` shows
words and verdict of some claims in the chapter that they belong to.
"""

import re
from collections import Counter
from functools import cache
from html import escape
from typing import Any

import numpy as np
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import vaebook
from vaebook import figures, tables
from vaebook.tables.claims import Claim, Decision, Part, Tally, Verdict, decided, detectable

# By a sign as well, for whom the colours are alike.
SIGNS: dict[Verdict, str] = {"reproduced": "✓", "in part": "◐", "refuted": "✗", "undecided": "?"}
FAMILIES = {
    "autoencoders": "From autoencoders to VAEs",
    "training": "Training",
    "classes": "Where the classes live",
    "sampling": "Sampling",
    "pcn": "pCN",
    "anchors": "Anchors",
    "heatmaps": "The heatmaps",
    "manifold": "The manifold of the VAE",
    "against": "VAE against autoencoder",
    "fourth": "A fourth factor",
}
SIDES = {"at_least": "> ", "at_most": "< ", "within": "within\N{NO-BREAK SPACE}±\N{WORD JOINER}"}
KINDS = {
    "vae": "VAE",
    "vae20": "VAE, 20 latents",
    "vae-optimal": "VAE, fitted",
    "vae-half": "VAE, ½",
    "ae": "autoencoder",
    "fashion": "VAE of clothes",
    "noise": "drawn at random",
    "constant-he": "constant rate, He's weights",
    "cycle-he": "one cycle, He's weights",
    "gaussian-he": "normal decoder, He's weights",
    "constant-torch": "constant rate, torch's weights",
    "cycle-torch": "one cycle, torch's weights",
    "gaussian-torch": "normal decoder, torch's weights",
    "3": "rate 3",
    "10": "rate 10",
}
# Models that a claim is not about, seed by seed; in tables that have them.
OTHERS = {"ae": "autoencoder", "0": "not anchored"}
UNLIKE = ("vae20", "fashion")  # of another size or other images than any of these
# For which nothing was trained, likewise.
CONTROLS = {"pca": "components", "cube": "cube", "noise": "at random"}
CHOICES = {
    "uniform": "pixels even from 0 to 1",
    "marginals": "pixels as in true images",
    "sure": "a classifier is sure",
    "near": "near to a true image",
    "first": "first step",
    "peak": "peak",
    "epoch": "first epoch",
    "entropy": "entropy",
    "eight": "3s like an 8",
    "neighbours": "neighbours",
    "distances": "distances",
    "short": "step 0.1",
    "long": "step 0.5",
    "prior": "grid of N(0, I)",
    "codes": "grid of the codes",
    "repeats_draw": "draws of p(x|z)",
    "repeats_mean": "means of p(x|z)",
    "turned": "turned axes",
    "trained": "trained axes",
    "turned.mean": "turned axes, through the mean",
    "turned.origin": "turned axes, through the origin",
    "trained.origin": "trained axes, through the origin",
    "mean": "about the mean",
    "origin": "about the origin",
    "direction": "of its direction",
    "turn": "while it is long",
    "mean_code": "mean code",
    "sampled_code": "drawn code",
    "little": "moved a little",
    "more": "moved more",
    "tails": "between the tails",
    "hull": "in empty points of the hull",
    "alike": "in the hull, empty points on both sides",
    "large": "heavy: large sums",
    "small": "heavy: small sums",
    "solid": "in space",
    "01": "axes 0 and 1",
    "02": "axes 0 and 2",
    "all": "all images",
    "open": "where the class is open",
    "knn1": "1 neighbour",
    "knn5": "5 neighbours",
    "knn15": "15 neighbours",
    "best": "best of six",
}
# Numbers that are read off heatmaps: a control whose pictures are none has nothing to read.
READ_OFF = ("arcs.", "height.", "lines.", "planes.", "strip.", "monotone")
NOT_READ_OFF = (".invalid", ".lonely", ".thickness")


@cache
def decisions() -> dict[str, Decision]:
    """Decide all claims once for a build."""
    return decided()


def of_family(family: str) -> list[Decision]:
    """Return the decisions of a family."""
    return [d for d in decisions().values() if d.claim.family == family]


def is_theirs(decision: Decision) -> bool:
    """Tell a source's claim from a prediction of the book's own."""
    return decision.claim.source != "the book"


def name(verdict: Verdict) -> str:
    """Return a verdict as a name of a class."""
    return verdict.replace(" ", "-")


def split(decision: Decision) -> str:
    """Return the readings of a claim by verdict, as the colours of its tile's lower edge."""
    counts, so_far, stops = Counter(decision.verdicts), 0.0, []
    for verdict in SIGNS:
        if share := 100 * counts[verdict] / len(decision.verdicts):
            stops.append(f"var(--{name(verdict)}) {so_far:.0f}% {so_far + share:.0f}%")
            so_far += share
    return f"border-image: linear-gradient(to right, {', '.join(stops)}) 1"


def anchor(claim: Claim) -> str:
    """Return what a link to a claim ends on; Sphinx has small letters only."""
    return f"claim-{claim.id}".lower()


def tile(decision: Decision) -> str:
    """Return a claim's tile, which leads to it."""
    claim, verdict = decision.claim, decision.verdict
    return (
        f'<li><a class="claim-{name(verdict)}" href="#{anchor(claim)}" style="{split(decision)}" '
        f'title="{escape(claim.says)}"><b>{claim.id}</b> <span aria-hidden="true">'
        f'{SIGNS[verdict]}</span><span class="visually-hidden">{verdict}</span></a></li>'
    )


def overview() -> str:
    """Return the tiles of all claims, a row for each family, and the counts."""
    counts = Counter(d.verdict for d in decisions().values() if is_theirs(d))
    legend = "".join(
        f'<li><span class="claim-{name(v)}"><span aria-hidden="true">{sign}</span></span> '
        f"{v}: {counts[v]}</li>"
        for v, sign in SIGNS.items()
    )
    rows = "".join(
        f"<dt>{title}</dt><dd><ul>"
        + "".join(
            tile(d) for d in decisions().values() if d.claim.family == family and is_theirs(d)
        )
        + "</ul></dd>"
        for family, title in FAMILIES.items()
    )
    return f'<div class="vaebook-verdicts"><ul class="legend">{legend}</ul><dl>{rows}</dl></div>'


def number(value: float) -> str:
    """Return a number of any size, with three figures and four decimals at most."""
    if 0 < abs(value) < 0.01:
        return figures.number(value, 4 if abs(value) < 0.001 else 3)
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return figures.number(value, digits)


def found(tally: Tally) -> str:
    """Return the median and the range over seeds."""
    known = [value for value in tally.values if value is not None]
    if not known:
        return "–"
    low, high = number(min(known)), number(max(known))
    if low == high:
        return low
    return f"{number(float(np.median(known)))} ({low} to {high})"


def on_its_side(tally: Tally) -> str:
    """Return how many seeds lie on the claim's side, and how many on neither."""
    n = len(tally.values)
    without = tally.values.count(None)
    tied = n - without - tally.holds - tally.fails
    counts = [f"{tally.holds} of {n}"]
    if without:
        counts.append(f"{without} without it")
    if tied:
        counts.append(f"{tied} on the margin")
    return ", ".join(counts)


def at(row: dict[str, Any], path: str) -> Any:
    """Return what stands at a path in a row, or None."""
    value: Any = row
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def control(part: Part, kind: str, row: dict[str, Any]) -> str:
    """Return what a control gives, where it can be asked."""
    value = at(row, part.of)
    if value is None:
        return "–"
    if kind == "noise" and part.of == "lines.beyond":
        return f"{number(value)} {sign(part, value)} (blend)"
    if kind == "cube" and part.of.startswith("kink."):
        return "–"  # its line is straight
    return f"{number(value)} {sign(part, value)}"


def is_read_off(part: Part) -> bool:
    """Tell whether a number of the heatmaps' table is read off decoded heatmaps."""
    read_off = part.of.startswith(READ_OFF) and ".moments." not in part.of
    return read_off and not part.of.endswith(NOT_READ_OFF)


def sign(part: Part, value: float) -> str:
    """Return the sign of the side that a number lies on."""
    return SIGNS["reproduced" if lies(part, value) else "refuted"]


def lies(part: Part, value: float) -> bool:
    """Tell whether a number lies on the claim's side of its margin."""
    return {
        "at_least": value > part.margin,
        "at_most": value < part.margin,
        "within": abs(value) < part.margin,
    }[part.side]


def others(part: Part, rows: list[dict[str, Any]]) -> str:
    """Return the median of other models, and how many lie on the claim's side."""
    values = [value for row in rows if (value := at(row, part.of)) is not None]
    if not values:
        return "–"
    there = sum(lies(part, value) for value in values)
    return f"{number(float(np.median(values)))} ({there})"


def label(part: Part) -> str:
    """Return which number it is, in which reading, and whose."""
    chosen = [CHOICES[choice] for choice in part.reading.values() if choice in CHOICES]
    rest = [one for one in part.reading.values() if one not in (part.kind, part.against)]
    chosen += [re.sub(", (.*)", r" (\1)", f"to the {KINDS[one]}") for one in rest if one in KINDS]
    whose = KINDS.get(part.kind, "VAE" if part.kind.startswith("vae") else "autoencoder")
    if part.against:
        whose += f" minus {KINDS.get(part.against, 'autoencoder')}"
    return f"{', '.join([part.name, *chosen])}: {whose}".replace("'", "’")


def beside(decision: Decision) -> dict[str, list[str]]:
    """Return the columns of other models and of controls that have any of a claim's numbers."""
    claim = decision.claim
    found = {}
    for kind, title in (OTHERS | CONTROLS).items():
        rows = [row for row in tables.load(claim.table).rows if row["kind"] == kind]
        if not rows or any(kind in (part.kind, part.against) for part in claim.parts):
            continue
        blurs = kind == "pca" and claim.table == "heatmap_claims"
        column = [
            "–"
            if (blurs and is_read_off(part)) or part.against is not None or part.kind in UNLIKE
            else others(part, rows)
            if kind in OTHERS
            else control(part, kind, rows[0])
            for part in claim.parts
        ]
        if set(column) != {"–"}:
            found[title] = column
    return found


def table_of(decision: Decision) -> str:
    """Return the numbers of a claim as a table."""
    tallies = {id(t.part): t for reading in decision.readings for t in reading}
    columns = beside(decision)
    rows = [
        [
            label(part),
            f"{SIDES[part.side]}{number(part.margin)}",
            found(tally),
            on_its_side(tally),
            *cells,
            f"{SIGNS[tally.verdict]} {tally.p_holm:.2g}",
        ]
        for part, *cells in zip(decision.claim.parts, *columns.values(), strict=True)
        for tally in [tallies[id(part)]]
    ]
    titles = ["number", "margin", "median (range)", "on its side", *columns, "verdict, p"]
    return str(figures.table(rows, titles)._repr_html_())


def readings_of(decision: Decision) -> str:
    """Return how many readings came out in which way, where there are several."""
    if len(decision.verdicts) < 2:
        return ""
    counts = Counter(decision.verdicts)
    if len(counts) == 1:
        every = "both" if len(decision.verdicts) == 2 else f"all {len(decision.verdicts)}"
        return f" In {every} readings."
    parts = [f"{counts[verdict]} {verdict}" for verdict in SIGNS if counts[verdict]]
    return f" Of {len(decision.verdicts)} readings: {', '.join(parts)}."


def decided_as(decision: Decision) -> str:
    """Return the verdict with its sign, and how the readings came out."""
    return f"**{SIGNS[decision.verdict]} {decision.verdict}.**{readings_of(decision)}"


def in_short(decision: Decision) -> list[str]:
    """Return a claim and its verdict as MyST, for the chapter that it belongs to."""
    claim = decision.claim
    return [
        f"::::{{container}} vaebook-claim claim-{name(decision.verdict)}",
        f"**{claim.id}** {claim.says} {{cite:p}}`{claim.source}`",
        "",
        f"{decided_as(decision)} {claim.remark} {{ref}}`What decided it <{anchor(claim)}>`.",
        "::::",
        "",
    ]


def text_of(decision: Decision) -> list[str]:
    """Return a claim as MyST."""
    claim = decision.claim
    changed = [f"*Changed since the first forms:* {claim.changed}", ""] if claim.changed else []
    shown = f" ({{numref}}`{claim.figure}`)" if claim.figure else ""
    ours = "A prediction of this book. "
    whose = f" {{cite:p}}`{claim.source}`" if is_theirs(decision) else ""
    return [
        f"({anchor(claim)})=",
        f"::::::{{container}} vaebook-claim claim-{name(decision.verdict)}",
        f"**{claim.id}** {'' if is_theirs(decision) else ours}{claim.says}{whose}",
        "",
        f"{decided_as(decision)}{shown}",
        "",
        claim.remark,
        "",
        ":::::{dropdown} What decided it",
        claim.form,
        "",
        *changed,
        "::::{raw} html",
        table_of(decision),
        "::::",
        ":::::",
        "::::::",
        "",
    ]


class Verdicts(SphinxDirective):
    """Show the overview."""

    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", overview(), format="html")]


class OfAChapter(SphinxDirective):
    """Show claims, by their names, with the verdicts on them."""

    required_arguments = 1
    optional_arguments = 100

    def run(self) -> list[nodes.Node]:
        if unknown := set(self.arguments) - set(decisions()):
            raise self.error(f"the register has no claims {sorted(unknown)}")
        text = [line for name in self.arguments for line in in_short(decisions()[name])]
        return self.parse_text_to_nodes("\n".join(text), allow_section_headings=False)


class Claims(SphinxDirective):
    """Show the claims of a family, and how many tests it has."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        chosen = of_family(self.arguments[0])
        tests = sum(len(d.claim.parts) for d in chosen)
        n = len(chosen[0].readings[0][0].values)
        share = detectable(n, tests)
        claims = "1 claim" if len(chosen) == 1 else f"{len(chosen)} claims"
        text = [
            f"{claims}, {tests} numbers. With {n} seeds, a number that lies on one side "
            f"in {100 * share:.0f} % of all seeds is decided four times in five.",
            "",
            *(line for decision in chosen for line in text_of(decision)),
        ]
        return self.parse_text_to_nodes("\n".join(text), allow_section_headings=False)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect everything with Sphinx."""
    app.add_directive("verdicts", Verdicts)
    app.add_directive("claims", Claims)
    app.add_directive("verdict", OfAChapter)
    return {"version": vaebook.__version__, "parallel_read_safe": True}
