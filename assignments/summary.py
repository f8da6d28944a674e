"""What the class has made of the tests: a table, and a page without names to show to the class."""

__all__ = ["write"]

import html
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

import pages
import sheets

Row = dict[str, Any]


def write(output: Path, grades: list[Row], tests: list[Row]) -> None:
    """Write `statistics.csv` and `class.html`; who has handed in nothing does not count."""
    graded = {(r["student"], r["assignment"]): r for r in grades if r["status"] == "graded"}
    tests = [row for row in tests if (row["student"], row["assignment"]) in graded]
    rows = _statistics(graded, tests)
    columns = ["assignment", "test", "points", "n", "passed", "part_passed", "discrimination"]
    columns += ["not_written", "out_of_time", "exception", "wrong"]
    sheets.write(output / "statistics.csv", columns, rows)
    (output / "class.html").write_text(_page(list(graded.values()), rows), encoding="utf-8")


def _statistics(graded: dict[tuple[str, str], Row], tests: list[Row]) -> list[Row]:
    by_test: dict[tuple[str, str], list[Row]] = {}
    for row in tests:
        by_test.setdefault((row["assignment"], row["test"]), []).append(row)
    rows = []
    for (assignment, test), those in by_test.items():
        points = [float(row["points"]) for row in those]
        rest = [
            float(graded[row["student"], assignment]["automatic"]) - p
            for row, p in zip(those, points, strict=True)
        ]
        passed = sum(not row["error"] for row in those)
        kinds = Counter(_kind(row["error"]) for row in those)
        row = {"assignment": assignment, "test": test, "points": those[0]["of"], "n": len(those)}
        row |= {"passed": passed, "part_passed": f"{passed / len(those):.2f}"}
        row["discrimination"] = _correlation(points, rest)
        rows.append(row | {kind: kinds[kind] for kind in _KINDS})
    return rows


_KINDS = ("not_written", "out_of_time", "exception", "wrong")


def _kind(error: str) -> str:
    """What went wrong, without the student's own words."""
    if not error:
        return ""
    if "not written yet" in error or "is not defined" in error:
        return "not_written"
    if "took longer" in error:
        return "out_of_time"
    name = error.split(":", 1)[0]
    return (
        "exception" if name.isidentifier() and name.endswith(("Error", "Exception")) else "wrong"
    )


def _correlation(points: list[float], rest: list[float]) -> str:
    """The correlation of a test with all others: near 0, it tells nobody apart who knows more."""
    try:
        return f"{statistics.correlation(points, rest):.2f}"
    except statistics.StatisticsError:
        return ""


def _page(graded: list[Row], tests: list[Row]) -> str:
    parts = []
    for name in dict.fromkeys(row["assignment"] for row in graded):
        those = [row for row in graded if row["assignment"] == name]
        automatic = [float(row["automatic"]) for row in those]
        of = float(those[0]["automatic_of"])
        parts.append(f"<h2>{html.escape(name)}</h2>")
        parts.append(
            f"<p>{len(those)} submissions; by the tests {statistics.mean(automatic):.1f} of "
            f"{of:g} points on average, half of them {statistics.median(automatic):g} or more.</p>"
        )
        parts.append(_histogram(automatic, of))
        if totals := [float(row["total"]) for row in those if row["total"]]:
            parts.append(
                f"<p>With the written part, of {len(totals)}: "
                f"{statistics.mean(totals):.1f} points on average, half of them "
                f"{statistics.median(totals):g} or more.</p>"
            )
        parts.append('<div class="wide" tabindex="0" role="region" aria-label="tests">')
        parts.append("<table><tr><th>Test<th>Points<th>Passed<th>Not written<th>Wrong</tr>")
        for row in tests:
            if row["assignment"] == name:
                part = float(row["part_passed"])
                parts.append(
                    f"<tr><td>{html.escape(row['test'])}<td>{row['points']}"
                    f'<td><meter min="0" max="1" value="{part}" aria-label="passed by '
                    f'{100 * part:.0f} per cent"></meter> {100 * part:.0f} %'
                    f"<td>{row['not_written']}"
                    f"<td>{row['wrong'] + row['exception'] + row['out_of_time']}</tr>"
                )
        parts.append("</table></div>")
    return pages.page("The class", "\n".join(parts))


def _histogram(points: list[float], of: float) -> str:
    """Bars of how many have how many points, in ten classes, as a drawing with a description."""
    n = 10
    counts = Counter(min(n - 1, int(n * p / of)) for p in points)
    most = max(counts.values())
    bars, words = [], []
    for i in range(n):
        height = 80 * counts[i] / most
        label = f"{of * i / n:g} to {of * (i + 1) / n:g}"
        words.append(f"{label}: {counts[i]}")
        bars.append(
            f'<rect x="{30 * i + 2}" y="{90 - height:.1f}" width="26" height="{height:.1f}"/>'
            f'<text x="{30 * i + 15}" y="{84 - height:.1f}">{counts[i] or ""}</text>'
            f'<text x="{30 * i + 15}" y="104">{of * i / n:g}</text>'
        )
    alt = html.escape("How many have how many points by the tests. " + "; ".join(words))
    return f'<svg viewBox="0 -10 300 118" role="img" aria-label="{alt}">{"".join(bars)}</svg>'
