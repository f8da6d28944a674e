"""What the sources claim, and what comes out: a register, and a verdict from the seeds.

The register says before the runs by which numbers a claim is decided. Seeds are the unit: a part
of a claim holds when significantly more than half of all seeds would lie on its side of the
margin, by an exact sign test, and fails when they would lie on the other; so it speaks of the
median seed. All parts of a family are corrected together by Holm's method. What neither holds nor
fails is undecided.
"""

__all__ = [
    "Claim",
    "Decision",
    "Part",
    "Tally",
    "decide",
    "decided",
    "detectable",
    "register",
    "sign_test",
]

import math
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

from vaebook import _checks
from vaebook.tables import table as tables
from vaebook.tables.table import Table

Verdict = Literal["reproduced", "in part", "refuted", "undecided"]
Side = Literal["at_least", "at_most", "within"]
SIDES: tuple[Side, ...] = ("at_least", "at_most", "within")


@dataclass(frozen=True)
class Part:
    """One number that a claim turns on, in one reading of what its source leaves open.

    Attributes:
        of: where it stands in a row, a path such as "height.corr_range".
        kind: of the rows, one for each seed.
        against: kind of the rows whose number is subtracted, seed by seed; None where nothing is.
        reading: the choices that it hangs on, by name.
        side: on which side of the margin the claim is; within is between it and its negative.
        margin: in the number's own unit.
        why: this margin.
        name: what the number is, in words.
    """

    of: str
    kind: str
    against: str | None
    reading: Mapping[str, str]
    side: Side
    margin: float
    why: str
    name: str = ""

    def values(self, table: Table) -> list[float | None]:
        """Return the number of each seed; None where a row does not have it, as of a dead model.

        Raises:
            ValueError: when no row has it.
        """
        _checks.instance(table, "table", Table)
        found = [_at(row, self.of) for row in table.where(kind=self.kind)]
        if self.against is not None:
            others = {r["seed"]: _at(r, self.of) for r in table.where(kind=self.against)}
            pairs = zip(
                found, (others[r["seed"]] for r in table.where(kind=self.kind)), strict=True
            )
            found = [None if None in pair else pair[0] - pair[1] for pair in pairs]  # type: ignore[operator]
        if all(value is None for value in found):
            raise ValueError(f"{table.name} has no {self.of} of {self.kind}")
        return found


@dataclass(frozen=True)
class Claim:
    """A sentence of a source that can be tested.

    Attributes:
        id: its number in the list of its source.
        family: whose parts are corrected for many tests together.
        says: the claim, in its source's terms.
        form: what is computed.
        table: the name of the experiment that has the numbers.
        parts: all of them together make the claim, in each reading.
        changed: what of the form was changed after its first numbers were seen, and why.
        figure: the name of the book's figure that shows it.
        source: whose claim it is: the key of a work in the book's bibliography, or "the book".
        remark: what the verdict does not say, written after the numbers.
    """

    id: str
    family: str
    says: str
    form: str
    table: str
    parts: tuple[Part, ...]
    changed: str = ""
    figure: str = ""
    source: str = "heatmap_study"
    remark: str = ""

    def readings(self) -> list[tuple[dict[str, str], tuple[Part, ...]]]:
        """Return each reading, its choices by name, with its parts.

        A part that does not hang on a choice belongs to all readings.
        """
        choices: dict[str, dict[str, None]] = {}
        for part in self.parts:
            for name, choice in part.reading.items():
                choices.setdefault(name, {})[choice] = None
        found = []
        for chosen in product(*choices.values()):
            reading = dict(zip(choices, chosen, strict=True))
            parts = tuple(p for p in self.parts if p.reading.items() <= reading.items())
            if parts:
                found.append((reading, parts))
        return found


@dataclass(frozen=True)
class Tally:
    """How the seeds decide a part.

    Attributes:
        part: what is decided.
        values: of the seeds, None where there is none.
        holds: how many lie on the claim's side of the margin.
        fails: how many lie on the other; for a part within margins, on both.
        p: of the sign test, two-sided, not corrected.
        p_holm: corrected for all parts of the family.
        towards: whether the seeds speak for the claim rather than against it.
        verdict: reproduced, refuted or undecided; a part is never "in part".
    """

    part: Part
    values: tuple[float | None, ...]
    holds: int
    fails: int
    p: float
    p_holm: float
    towards: bool
    verdict: Verdict


@dataclass(frozen=True)
class Decision:
    """The verdict on a claim.

    Attributes:
        claim: what is decided.
        choices: what each reading chooses, by name.
        readings: the tallies of its parts, reading by reading.
        verdicts: on each reading. It is reproduced when all parts are, in part when some are,
            refuted when some are refuted and none is reproduced.
        verdict: of the readings together, by the same rule.
    """

    claim: Claim
    choices: tuple[Mapping[str, str], ...]
    readings: tuple[tuple[Tally, ...], ...]
    verdicts: tuple[Verdict, ...]
    verdict: Verdict


def register(path: str | os.PathLike[str] | None = None) -> list[Claim]:
    """Return all claims of a register.

    Args:
        path: of the register; None for the book's own.

    Raises:
        ValueError: when it is no register; the message says what is missing or too much.
        OSError: when it can't be read.

    Example:
        >>> seventh = next(claim for claim in register() if claim.id == "7")
        >>> reading, parts = seventh.readings()[0]
        >>> reading, [(part.of, part.side, part.margin) for part in parts]
        ({'vae': 'vae-optimal'}, [('height.rank', 'at_least', 0.95), \
('height.corr_range', 'at_least', 1.62)])
    """
    path = tables.FOLDER / "claims.toml" if path is None else _checks.path(path, "path")
    try:
        text = tomllib.loads(path.read_text(encoding="utf-8"))
        found = [_claim(entry, text.get("readings", {})) for entry in text["claim"]]
    except (KeyError, TypeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path} is no register of claims: {error!r}") from error
    ids = [claim.id for claim in found]
    if twice := {name for name in ids if ids.count(name) > 1}:
        raise ValueError(f"{path} has claims twice: {sorted(twice)}")
    return found


def _claim(entry: dict[str, Any], readings: Mapping[str, Sequence[str]]) -> Claim:
    named = dict(entry)
    parts = tuple(part for each in named.pop("part") for part in _parts(dict(each), readings))
    return Claim(**named, parts=parts)


def _parts(entry: dict[str, Any], readings: Mapping[str, Sequence[str]]) -> Iterator[Part]:
    """Yield a part in each of its readings."""
    sides = [side for side in SIDES if side in entry]
    if len(sides) != 1:
        raise ValueError(f"a part must have one margin, of {', '.join(SIDES)}, got {entry}")
    margin, why, title = float(entry.pop(sides[0])), entry.pop("why"), entry.pop("name")
    of, kind, against = entry.pop("of"), entry.pop("kind"), entry.pop("against", None)
    if entry:
        raise ValueError(f"a part has no {sorted(entry)}")
    if not math.isfinite(margin) or (sides[0] == "within" and margin <= 0):
        raise ValueError(f"a margin must be finite, and positive to lie within, got {margin}")
    written = " ".join((of, kind, against or ""))
    names = [name for name in readings if f"{{{name}}}" in written]
    for choices in product(*(readings[name] for name in names)):
        reading = dict(zip(names, choices, strict=True))
        other = None if against is None else against.format(**reading)
        yield Part(
            of.format(**reading),
            kind.format(**reading),
            other,
            reading,
            sides[0],
            margin,
            why,
            title,
        )


def _at(row: Mapping[str, Any], path: str) -> float | None:
    found: Any = row
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return float(found)


def sign_test(holds: int, n: int) -> float:
    r"""Return the one-sided p-value of `holds` seeds out of n on one side.

    .. math:: P(K \ge \mathrm{holds}), \qquad K \sim \mathrm{Bin}(n, 1/2)

    It is the greatest p-value over all shares of at most one half.

    Raises:
        ValueError: when `n` is no positive number, or `holds` is not between 0 and n.

    Example:
        >>> sign_test(11, 12), sign_test(12, 12)
        (0.003173828125, 0.000244140625)
    """
    _checks.count(n, "n")
    _checks.count(holds, "holds", 0)
    if holds > n:
        raise ValueError(f"holds must be at most n, {n}, got {holds}")
    return sum(math.comb(n, k) for k in range(holds, n + 1)) / 2**n


def detectable(n: int, tests: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the least share on one side that a two-sided sign test of n seeds detects.

    Args:
        n: seeds.
        tests: numbers in the family, all of them against it at Holm's strictest step.
        alpha: chance of a wrong verdict in the family.
        power: chance of a right one on the part.

    Returns:
        The share; infinity where n seeds can't show any.

    Example:
        >>> round(detectable(12, 1), 2), round(detectable(12, 90), 2), detectable(5, 90)
        (0.87, 0.98, inf)
    """
    from scipy.special import betaincinv

    _checks.count(n, "n")
    _checks.count(tests, "tests")
    _checks.number(alpha, "alpha", 0, 1, open=True)
    _checks.number(power, "power", 0, 1, open=True)
    enough = [k for k in range(n // 2 + 1, n + 1) if 2 * sign_test(k, n) <= alpha / tests]
    return float(betaincinv(enough[0], n - enough[0] + 1, power)) if enough else math.inf


def decide(
    claims: Sequence[Claim], found: Mapping[str, Table], alpha: float = 0.05
) -> list[Decision]:
    """Decide the claims of whole families by the tables that they name.

    The chance that any part of a family is decided although its seeds fall on both sides equally
    often is at most `alpha`; for independent parts so is the chance that one is decided wrongly
    (Shaffer, 1980).

    Args:
        claims: of a register.
        found: tables by name.
        alpha: the chance.

    Raises:
        ValueError: when a table, or a number in it, is missing.

    Source:
        A Simple Sequentially Rejective Multiple Test Procedure (Holm, 1979) |
        https://www.jstor.org/stable/4615733. Control of Directional Errors with Stagewise
        Multiple Test Procedures (Shaffer, 1980), Annals of Statistics 8, 1342-1347

    Example:
        >>> part = Part("x", "vae", None, {}, "at_least", 0.5, "half")
        >>> claim = Claim("1", "one", "x is large.", "x", "toy", (part,))
        >>> rows = [{"kind": "vae", "seed": seed, "x": 0.6 + seed / 100} for seed in range(12)]
        >>> decide([claim], {"toy": Table("toy", {}, rows)})[0].verdict
        'reproduced'
    """
    _checks.number(alpha, "alpha", 0, 1, open=True)
    if not isinstance(claims, Sequence) or not all(isinstance(c, Claim) for c in claims):
        raise ValueError(f"claims must be a sequence of claims, got {claims!r}")
    _checks.instance(found, "found", Mapping)
    counted: dict[str, list[Tally]] = {}
    for claim in claims:
        if claim.table not in found:
            raise ValueError(f"found must hold the table {claim.table} of claim {claim.id}")
        _checks.instance(found[claim.table], f"found[{claim.table!r}]", Table)
        tallies = [_count(part, found[claim.table]) for part in claim.parts]
        counted.setdefault(claim.family, []).extend(tallies)
    judged = {id(t.part): t for family in counted.values() for t in _corrected(family, alpha)}
    return [_decision(claim, judged) for claim in claims]


def decided(family: str | None = None) -> dict[str, Decision]:
    """Decide the claims of the book's register, by the tables that are part of the package.

    Args:
        family: one of the register's; None for all.

    Returns:
        The decisions by the ids of their claims.

    Raises:
        ValueError: when the register has no such family.

    Example:
        >>> decided("manifold")["7"].claim.form[:27]
        'A line along axis 2 through'
    """
    claims = [claim for claim in register() if family in (None, claim.family)]
    if not claims:
        known = sorted({claim.family for claim in register()})
        raise ValueError(f"family must be one of {', '.join(known)}, got {family!r}")
    found = {name: tables.load(name) for name in {claim.table for claim in claims}}
    return {decision.claim.id: decision for decision in decide(claims, found)}


def _count(part: Part, table: Table) -> Tally:
    values = part.values(table)
    sign = -1.0 if part.side == "at_most" else 1.0
    known = [sign * value for value in values if value is not None]
    n, margin = len(values), sign * part.margin
    if part.side == "within":
        beyond = [sum(v > margin for v in known), sum(v < -margin for v in known)]
        short = [sum(v < margin for v in known), sum(v > -margin for v in known)]
        # It must hold on both sides, and may fail on either.
        towards, against = sign_test(min(short), n), 2 * sign_test(max(beyond), n)
        holds, fails = sum(abs(v) < margin for v in known), sum(beyond)
    else:
        holds, fails = sum(v > margin for v in known), sum(v < margin for v in known)
        towards, against = sign_test(holds, n), sign_test(fails, n)
    p = min(1.0, 2 * min(towards, against))
    return Tally(part, tuple(values), holds, fails, p, p, towards < against, "undecided")


def _corrected(family: Sequence[Tally], alpha: float) -> list[Tally]:
    """Holm's method, and the verdict on each part."""
    order = sorted(range(len(family)), key=lambda i: family[i].p)
    so_far, found = 0.0, {}
    for step, i in enumerate(order):
        so_far = max(so_far, min(1.0, (len(family) - step) * family[i].p))
        verdict: Verdict = "undecided"
        if so_far <= alpha:
            verdict = "reproduced" if family[i].towards else "refuted"
        found[i] = replace(family[i], p_holm=so_far, verdict=verdict)
    return [found[i] for i in range(len(family))]


def _decision(claim: Claim, judged: Mapping[int, Tally]) -> Decision:
    choices, parts = zip(*claim.readings(), strict=True)
    readings = tuple(tuple(judged[id(part)] for part in each) for each in parts)
    verdicts = tuple(_together([tally.verdict for tally in tallies]) for tallies in readings)
    return Decision(claim, choices, readings, verdicts, _together(verdicts))


def _together(verdicts: Sequence[Verdict]) -> Verdict:
    if len(set(verdicts)) == 1:
        return verdicts[0]
    if {"reproduced", "in part"} & set(verdicts):
        return "in part"
    return "refuted" if "refuted" in verdicts else "undecided"
