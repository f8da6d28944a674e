"""The page of the claims: a coloured overview, and each claim with what decided it.

A Sphinx extension. `.. verdicts::` shows the verdicts on all claims of the register as tiles that
lead to the claims, and `.. claims:: FAMILY` the claims of a family: words, verdict, figure, form,
and for each number the margin, the seeds, the controls and the p-value.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from html import escape
from typing import Any

import numpy as np
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import vaebook
from vaebook import figures, tables
from vaebook.tables.claims import Decision, Part, Tally, Verdict, decided, detectable

# By a sign as well, for whom the colours are alike.
SIGNS: dict[Verdict, str] = {"reproduced": "✓", "in part": "◐", "refuted": "✗", "undecided": "?"}
COLOURS: dict[Verdict, str] = {
    "reproduced": "#009e73",
    "in part": "#56b4e9",
    "refuted": "#d55e00",
    "undecided": "#8c8c8c",
}
FAMILIES = {
    "heatmaps": "The heatmaps",
    "manifold": "The manifold of the VAE",
    "against": "VAE against autoencoder",
}
SIDES = {"at_least": "at least", "at_most": "at most", "within": "within ±"}
CONTROLS = {"pca": "three principal components", "cube": "the factors themselves"}
KINDS = {"vae-optimal": "VAE, fitted", "vae-half": "VAE, ½", "ae": "autoencoder"}


@cache
def decisions() -> dict[str, Decision]:
    """Decide all claims once for a build."""
    return {name: d for family in FAMILIES for name, d in decided(family).items()}


def name(verdict: Verdict) -> str:
    """Return a verdict as a name of a class."""
    return verdict.replace(" ", "-")


def split(decision: Decision) -> str:
    """Return the readings of a claim by verdict, as the colours of its tile's lower edge."""
    counts, so_far, stops = Counter(decision.verdicts), 0.0, []
    for verdict in SIGNS:
        if share := 100 * counts[verdict] / len(decision.verdicts):
            stops.append(f"{COLOURS[verdict]} {so_far:.0f}% {so_far + share:.0f}%")
            so_far += share
    return f"border-image: linear-gradient(to right, {', '.join(stops)}) 1"


def tile(decision: Decision) -> str:
    """Return a claim's tile, which leads to it."""
    claim, verdict = decision.claim, decision.verdict
    return (
        f'<li><a class="claim-{name(verdict)}" href="#claim-{claim.id}" style="{split(decision)}" '
        f'title="{escape(claim.says)}"><b>{claim.id}</b> <span aria-hidden="true">'
        f'{SIGNS[verdict]}</span><span class="visually-hidden">{verdict}</span></a></li>'
    )


def overview() -> str:
    """Return the tiles of all claims, a row for each family, and the counts."""
    counts = Counter(d.verdict for d in decisions().values())
    legend = "".join(
        f'<li><span class="claim-{name(v)}"><span aria-hidden="true">{sign}</span></span> '
        f"{v}: {counts[v]}</li>"
        for v, sign in SIGNS.items()
    )
    rows = "".join(
        f"<dt>{title}</dt><dd><ul>"
        + "".join(tile(d) for d in decisions().values() if d.claim.family == family)
        + "</ul></dd>"
        for family, title in FAMILIES.items()
    )
    return f'<div class="vaebook-verdicts"><ul class="legend">{legend}</ul><dl>{rows}</dl></div>'


def number(value: float) -> str:
    """Return a number of any size in three figures at most."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return figures.number(value, digits)


def found(tally: Tally) -> str:
    """Return the median and the range over seeds."""
    known = [value for value in tally.values if value is not None]
    if not known:
        return "–"
    low, high = number(min(known)), number(max(known))
    return f"{number(float(np.median(known)))} ({low} to {high})"


def control(part: Part, kind: str, table: tables.Table) -> str:
    """Return what a control that has learned nothing gives, where it can be asked."""
    rows = list(table.where(kind=kind))
    if not rows or part.against is not None:
        return "–"
    value: Any = rows[0]
    for step in part.of.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if value is None:
        return "–"
    on = {
        "at_least": value > part.margin,
        "at_most": value < part.margin,
        "within": abs(value) < part.margin,
    }[part.side]
    return f"{number(value)} {'✓' if on else '✗'}"


def rows_of(decision: Decision) -> Iterator[list[Any]]:
    """Yield a row for each number that a claim turns on."""
    table = tables.load(decision.claim.table)
    controls = [kind for kind in CONTROLS if table.where(kind=kind)]
    seen = set()
    for tallies in decision.readings:
        for tally in tallies:
            if id(tally.part) in seen:
                continue
            seen.add(id(tally.part))
            part = tally.part
            against = f" − {KINDS.get(part.against, part.against)}" if part.against else ""
            yield [
                f"{part.of.replace('_', ' ')}: {KINDS.get(part.kind, part.kind)}{against}",
                f"{SIDES[part.side]} {number(part.margin)}",
                found(tally),
                f"{tally.holds} of {len(tally.values)}",
                *(control(part, kind, table) for kind in controls),
                f"{tally.p_holm:.2g}",
                SIGNS[tally.verdict] + " " + tally.verdict,
            ]


def table_of(decision: Decision) -> str:
    """Return the numbers of a claim as a table."""
    table = tables.load(decision.claim.table)
    controls = [title for kind, title in CONTROLS.items() if table.where(kind=kind)]
    columns = ["number, of", "margin", "median (range)", "on the claim's side", *controls]
    shown = figures.table(list(rows_of(decision)), [*columns, "p (Holm)", "verdict"])
    return str(shown._repr_html_())


def readings_of(decision: Decision) -> str:
    """Return how many readings came out in which way, where there are several."""
    if len(decision.verdicts) < 2:
        return ""
    counts = Counter(decision.verdicts)
    if len(counts) == 1:
        return f" So in all {len(decision.verdicts)} readings."
    parts = [f"{counts[verdict]} {verdict}" for verdict in SIGNS if counts[verdict]]
    return f" Of {len(decision.verdicts)} readings: {', '.join(parts)}."


def text_of(decision: Decision) -> list[str]:
    """Return a claim as MyST."""
    claim, verdict = decision.claim, decision.verdict
    changed = [f"*Changed since the first forms:* {claim.changed}", ""] if claim.changed else []
    shown = f" ({{numref}}`{claim.figure}`)" if claim.figure else ""
    return [
        f"(claim-{claim.id})=",
        f"::::::{{container}} vaebook-claim claim-{name(verdict)}",
        f"**{claim.id}** {claim.says}",
        "",
        f"**{SIGNS[verdict]} {verdict}.**{readings_of(decision)}{shown}",
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


class Claims(SphinxDirective):
    """Show the claims of a family, and how many tests it has."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        chosen = [d for d in decisions().values() if d.claim.family == self.arguments[0]]
        tests = sum(len(d.claim.parts) for d in chosen)
        share = detectable(12, tests)
        text = [
            f"{len(chosen)} claims, {tests} numbers. Twelve seeds show four times in five on "
            f"which side a number lies when it lies there in {100 * share:.0f} % of all seeds.",
            "",
            *(line for decision in chosen for line in text_of(decision)),
        ]
        return self.parse_text_to_nodes("\n".join(text), allow_section_headings=False)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect everything with Sphinx."""
    app.add_directive("verdicts", Verdicts)
    app.add_directive("claims", Claims)
    return {"version": vaebook.__version__, "parallel_read_safe": True}
