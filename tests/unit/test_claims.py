"""The verdict on a claim, tried on studies whose truth is known because they are made up."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from vaebook import tables
from vaebook.tables import Table
from vaebook.tables.claims import Claim, Part, decide, decided, detectable, register, sign_test

SEEDS = range(12)


def part(side="at_least", margin=0.5, of="x", kind="vae", against=None):
    reading = {"kind": kind, "against": str(against)}
    return Part(of, kind, against, reading, side, margin, "made up")


def claim(*parts, name="1", family="one"):
    return Claim(name, family, "Something is large.", "x", "toy", parts)


def study(**values):
    """A table with a row for each kind and seed, with numbers from lists or alike for all."""
    rows = [
        {"kind": kind, "seed": seed, "x": None if x is None else x[n]}
        for kind, x in values.items()
        for n, seed in enumerate(range(len(x)))
    ]
    for row in rows:
        if row["x"] is None:
            del row["x"]
    return {"toy": Table("toy", {}, rows)}


def verdict(values, side="at_least", margin=0.5, others=None):
    """The verdict on one part in a family of its own."""
    against = None if others is None else "ae"
    found = study(vae=values) if others is None else study(vae=values, ae=others)
    return decide([claim(part(side, margin, against=against))], found)[0].verdict


# --- One part ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 5, 12, 20])
def test_the_sign_test_is_the_binomial_test(n):
    for holds in range(n + 1):
        expected = stats.binomtest(holds, n, 0.5, alternative="greater").pvalue
        assert sign_test(holds, n) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("side", ["at_least", "at_most"])
def test_a_true_effect_is_reproduced_and_its_opposite_refuted(side):
    sign = 1 if side == "at_least" else -1
    large = [0.5 + sign * (0.1 + 0.01 * n) for n in SEEDS]
    small = [0.5 - sign * (0.1 + 0.01 * n) for n in SEEDS]
    assert verdict(large, side) == "reproduced"
    assert verdict(small, side) == "refuted"


def test_the_same_effect_in_too_few_seeds_is_undecided():
    assert verdict([9.0] * 5) == "undecided"  # 2 / 2^5 is more than .05
    assert verdict([9.0] * 6) == "reproduced"


@pytest.mark.slow
def test_without_an_effect_a_verdict_is_as_rare_as_was_said():
    rng = np.random.default_rng(0)
    runs = 4000
    found = Counter(verdict((0.5 + rng.normal(size=12)).tolist()) for _ in range(runs))
    exact = 2 * sign_test(10, 12)  # the least number of seeds that is significant for one part
    assert 2 * sign_test(9, 12) > 0.05
    wrong = runs - found["undecided"]
    # Within five standard errors: one run in a million fails by chance.
    assert abs(wrong / runs - exact) < 5 * math.sqrt(exact * (1 - exact) / runs)


def test_numbers_on_the_margin_count_for_neither_side():
    assert verdict([0.5] * 12) == "undecided"
    assert verdict([0.5] * 6 + [1.0] * 6) == "undecided"


def test_equivalence_needs_the_margin_on_both_sides_and_fails_on_either():
    near = [0.1 * (-1) ** n for n in SEEDS]
    assert verdict(near, "within", 0.2) == "reproduced"
    assert verdict(near, "within", 0.05) == "undecided"  # half of them beyond on each side
    assert verdict([0.3] * 12, "within", 0.2) == "refuted"
    assert verdict([-0.3] * 12, "within", 0.2) == "refuted"
    wide = [0.19, 0.21] * 6  # no proof of a difference is no proof of equality
    assert verdict(wide, "within", 0.2) == "undecided"
    ((tally,),) = decide(
        [claim(part("within", 0.2))], study(vae=[0.3] * 5 + [-0.3] * 4 + [0.0] * 3)
    )[0].readings
    assert (tally.holds, tally.fails) == (3, 9)


def test_pairs_are_compared_seed_by_seed():
    common = [10.0 * n for n in SEEDS]
    better = [c + 1.0 for c in common]
    assert verdict(better, margin=0.5, others=common) == "reproduced"
    assert verdict(common, margin=0.5, others=better) == "refuted"
    rows = study(vae=better, ae=common)["toy"].rows
    mixed = Table("toy", {}, rows[:12] + rows[:11:-1])
    assert decide([claim(part(against="ae"))], {"toy": mixed})[0].verdict == "reproduced"


def test_a_seed_without_the_number_stays_in_the_count_and_on_neither_side():
    rows = study(vae=[1.0] * 12)["toy"].rows
    for row in rows[:6]:
        del row["x"]
    dead = decide([claim(part())], {"toy": Table("toy", {}, rows)})[0]
    ((tally,),) = dead.readings
    assert (tally.holds, tally.fails, len(tally.values)) == (6, 0, 12)
    assert dead.verdict == "undecided"


# --- Families ----------------------------------------------------------------------------------


def test_holms_method_agrees_with_its_definition():
    # Of four parts 12, 11, 10 and 6 of twelve seeds hold.
    counts = (12, 11, 10, 6)
    parts = [part(of="x", kind=f"k{n}") for n in range(4)]
    found = study(**{f"k{n}": [1.0] * k + [0.0] * (12 - k) for n, k in enumerate(counts)})
    tallies = [t for d in decide([claim(*parts)], found) for r in d.readings for t in r]
    p = [2 * sign_test(k, 12) for k in counts]
    assert [t.p for t in tallies] == pytest.approx([min(1, x) for x in p])
    expected = [4 * p[0], 3 * p[1], max(3 * p[1], 2 * p[2]), 1.0]
    assert [t.p_holm for t in tallies] == pytest.approx(expected)
    assert [t.verdict for t in tallies] == ["reproduced", "reproduced", "undecided", "undecided"]


@pytest.mark.slow
def test_a_family_without_effects_has_a_verdict_once_in_twenty_times_at_most():
    rng = np.random.default_rng(1)
    runs, parts = 600, [part(kind=f"k{n}") for n in range(20)]
    claims = [claim(each, name=str(n)) for n, each in enumerate(parts)]
    wrong = 0
    for _ in range(runs):
        x = 0.5 + rng.normal(size=(20, 12))
        found = study(**{f"k{n}": row.tolist() for n, row in enumerate(x)})
        wrong += any(d.verdict != "undecided" for d in decide(claims, found))
    # The exact chance is below .05; five standard errors above it nobody gets by chance.
    assert wrong / runs < 0.05 + 5 * math.sqrt(0.05 * 0.95 / runs)


def test_families_are_corrected_apart():
    eleven = study(a=[1.0] * 11 + [0.0], b=[1.0, 0.0] * 6)
    parts = [part(kind="a"), *(part(kind="b") for _ in range(20))]
    together = [claim(p, name=str(n)) for n, p in enumerate(parts)]
    apart = [claim(p, name=str(n), family="ab"[n > 0]) for n, p in enumerate(parts)]
    assert decide(together, eleven)[0].verdict == "undecided"
    assert decide(apart, eleven)[0].verdict == "reproduced"


def test_parts_and_readings_are_put_together_as_was_said():
    up, down, even = [1.0] * 12, [0.0] * 12, [0.0, 1.0] * 6
    found = study(u=up, d=down, e=even)

    def of(*kinds):
        same = {"reading": "one"}
        parts = tuple(Part("x", kind, None, same, "at_least", 0.5, "made up") for kind in kinds)
        return decide([claim(*parts)], found)[0].verdict

    assert of("u", "u") == "reproduced"
    assert of("u", "d") == of("u", "e") == "in part"
    assert of("d", "d") == of("d", "e") == "refuted"
    assert of("e", "e") == "undecided"

    def readings(*kinds):
        two = decide([claim(*(part(kind=kind) for kind in kinds))], found)[0]
        assert len(two.verdicts) == len(kinds)
        return two.verdict

    assert readings("u", "d") == readings("u", "e") == "in part"  # it hangs on the reading
    assert readings("d", "e") == "refuted"
    assert readings("e") == "undecided"


def test_what_can_be_detected_is_detected_so_often():
    assert detectable(5, 90) == math.inf
    for n, tests in ((12, 1), (12, 90), (20, 30)):
        share = detectable(n, tests)
        least = min(k for k in range(n + 1) if 2 * sign_test(k, n) <= 0.05 / tests)
        assert stats.binom.sf(least - 1, n, share) == pytest.approx(0.8)


# --- The register ------------------------------------------------------------------------------


def test_the_smallest_p_of_twelve_seeds_is_below_what_every_family_asks():
    families: Counter[str] = Counter()
    for each in register():
        families[each.family] += len(each.parts)
    assert families
    assert all(2 * sign_test(12, 12) <= 0.05 / n for n in families.values()), families


@pytest.mark.slow
def test_every_number_of_the_register_is_in_its_table():
    for each in register():
        table = tables.load(each.table)
        for p in each.parts:
            assert len(p.values(table)) == 12, (each.id, p.of)


def test_no_claim_lacks_its_words_and_no_margin_its_reason():
    for each in register():
        assert each.says.endswith((".", ".)"))
        assert each.form.endswith((".", ".)"))
        assert all(p.why and p.name for p in each.parts)


HEAD = '[[claim]]\nid = "1"\nfamily = "f"\nsays = "S."\nform = "F."\ntable = "t"\n'
PART = '[[claim.part]]\nof = "x.{way}"\nkind = "vae"\nat_least = 1\nwhy = "w"\nname = "n"\n'
WAYS = '[readings]\nway = ["a", "b"]\n'


def test_readings_are_spelt_out(tmp_path: Path):
    path = tmp_path / "claims.toml"
    path.write_text(WAYS + HEAD + PART)
    (one,) = register(path)
    assert [p.of for p in one.parts] == ["x.a", "x.b"]
    assert [p.reading for p in one.parts] == [{"way": w} for w in "ab"]


def test_a_choice_may_stand_in_the_kind_too_and_what_does_not_hang_on_it_is_in_all_readings(
    tmp_path: Path,
):
    path = tmp_path / "claims.toml"
    second = PART.replace("x.{way}", "y").replace('"vae"', '"ae-{size}"\nagainst = "{size}"')
    third = PART.replace("x.{way}", "z")
    path.write_text(WAYS + 'size = ["s", "l"]\n' + HEAD + PART + second + third)
    (one,) = register(path)
    assert [(p.of, p.kind, p.against) for p in one.parts] == [
        ("x.a", "vae", None),
        ("x.b", "vae", None),
        ("y", "ae-s", "s"),
        ("y", "ae-l", "l"),
        ("z", "vae", None),
    ]
    assert [(r["way"] + r["size"], [p.of for p in parts]) for r, parts in one.readings()] == [
        (way + size, [f"x.{way}", "y", "z"]) for way in "ab" for size in "sl"
    ]


def test_a_part_of_all_readings_is_counted_once_and_decides_each():
    always = Part("x", "d", None, {}, "at_least", 0.5, "made up")
    two = [Part("x", "u", None, {"way": way}, "at_least", 0.5, "made up") for way in "ab"]
    decision = decide([claim(*two, always)], study(u=[1.0] * 12, d=[0.0] * 12))[0]
    assert decision.choices == ({"way": "a"}, {"way": "b"})
    assert [len(tallies) for tallies in decision.readings] == [2, 2]
    assert decision.verdicts == ("in part", "in part")
    p = 2 * sign_test(12, 12)
    assert {t.p_holm for tallies in decision.readings for t in tallies} == {3 * p}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no register of claims"),
        ("[[claim]", "is no register of claims"),
        (WAYS + HEAD.replace('says = "S."\n', "") + PART, "is no register of claims.*says"),
        (WAYS + HEAD + PART + HEAD + PART, "has claims twice"),
        (WAYS + HEAD + PART + "at_most = 2\n", "must have one margin"),
        (WAYS + HEAD + PART + 'weight = "much"\n', "has no .'weight'."),
        (
            WAYS + HEAD + PART.replace("at_least = 1", "within = -1"),
            "must be finite, and positive",
        ),
        (WAYS + HEAD + PART.replace("at_least = 1", "at_least = nan"), "must be finite"),
        (HEAD + PART, "is no register of claims.*way"),
        (WAYS + HEAD + 'weight = "much"\n' + PART, "is no register of claims.*weight"),
    ],
)
def test_what_is_no_register_is_refused(tmp_path: Path, text: str, message: str):
    path = tmp_path / "claims.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        register(path)


def test_the_books_claims_are_decided_family_by_family():
    whole = decided()
    assert list(whole) == [each.id for each in register()]
    assert decided("against") == {k: d for k, d in whole.items() if d.claim.family == "against"}
    with pytest.raises(ValueError, match=r"family must be one of against, .*, got 'none'"):
        decided("none")


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="found must hold the table toy of claim 1"):
        decide([claim(part())], {})
    with pytest.raises(ValueError, match=r"toy has no y of vae"):
        decide([claim(part(of="y"))], study(vae=[1.0] * 12))
    with pytest.raises(ValueError, match="holds must be at most n, 3, got 4"):
        sign_test(4, 3)
