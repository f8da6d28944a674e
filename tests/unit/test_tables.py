"""The tables that pages read: each there under its name, row by row what its study says."""

import json
import random
from pathlib import Path

import pytest

from vaebook import tables

STUDIES = Path(__file__).parents[2] / "experiments"


def test_every_table_has_its_study_and_every_study_its_table() -> None:
    assert tables.available() == sorted(path.stem for path in STUDIES.glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("n_rows", [8, pytest.param(None, marks=pytest.mark.weekly)])
@pytest.mark.parametrize("name", tables.available())
def test_a_table_is_whole_and_of_its_study_as_it_stands(name: str, n_rows: int | None) -> None:
    """The fingerprints of some rows, in `make test-all` of each."""
    study = tables.from_file(STUDIES / f"{name}.py")
    table = tables.load(name)
    points = study.points()
    assert study.name == table.name == name
    assert table.about == json.loads(json.dumps(study.about))
    assert [
        {key: row[key] for key in point} for row, point in zip(table.rows, points, strict=True)
    ] == points
    assert len(table.fingerprints) == len(points)
    # Drawn and not counted off: a stride would meet the same kinds of rows again and again.
    for i in random.Random(name).sample(range(len(points)), min(n_rows or 10**9, len(points))):
        assert table.fingerprints[i] == study.fingerprint(**points[i])


def test_loading_twice_gives_two_equal_tables() -> None:
    one, two = tables.load("collapse"), tables.load("collapse")
    assert one == two
    one.about.clear()
    assert two.about["ways"]


def test_a_row_without_an_entry_is_not_one_whose_entry_is_none() -> None:
    table = tables.Table("two", {}, [{"x": 1, "seed": None}, {"x": 1}])
    assert table.where(x=1, seed=None) == [{"x": 1, "seed": None}]
    with pytest.raises(ValueError, match="two has no row with"):
        table.where(other=None)


@pytest.mark.parametrize("name", ["collapsse", "", "../weights/mnist-mlp-2d", 3])
def test_a_table_that_is_not_there_is_refused_with_those_near_it(name: str) -> None:
    with pytest.raises(ValueError, match="name must be a table"):
        tables.load(name)
    with pytest.raises(ValueError, match="collapse"):
        tables.load("collapsse")


def test_rounding_keeps_what_a_table_can_hold_and_five_digits_of_each_float() -> None:
    value = {"a": [1.000004, -2.00006e-9, 3], "b": {"c": None, "d": True, "e": "1.2345678"}}
    found = tables.rounded(value)
    assert found == {"a": [1.0, -2.0001e-9, 3], "b": {"c": None, "d": True, "e": "1.2345678"}}
    assert [type(item) for item in found["a"]] == [float, float, int]
    assert tables.rounded(found) == found


def test_rounding_refuses_what_a_table_would() -> None:
    with pytest.raises(ValueError, match=r"row\.a\[1\] must be plain JSON and finite, got nan"):
        tables.rounded({"a": [0.0, float("nan")]})
