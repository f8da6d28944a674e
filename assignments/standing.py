"""What stands for a student in the tables: what is there now, or what stood there before."""

__all__ = ["KINDS", "before", "stands"]

from collections.abc import Mapping

# What each argument of `stands` may be.
KINDS = {
    "notebook": ("filled", "untouched", "unreadable", ""),
    "papers": ("named", "unnamed", ""),
    "before": ("filled", "untouched", "paper", "unreadable", "missing", ""),
}


def before(row: Mapping[str, str] | None) -> str:
    """Return what a line of `grades.csv` is about; nothing where there is no line."""
    if row is None:
        return ""
    status = row.get("status", "")
    ran = status.startswith(("graded", "not graded"))
    if row.get("filled", "1" if ran else "") not in ("", "0"):
        return "filled"
    if ran:
        return "untouched"
    if status.startswith("no notebook, but"):
        return "paper"
    return "missing" if status == "missing" else "unreadable"


def stands(notebook: str, papers: str, refused: bool, due: bool, before: str) -> str:
    """Decide what stands for one student and one assignment.

    Args:
        notebook: the best that there is now, `filled` in, `untouched` as it was handed out, or
            `unreadable`.
        papers: whether there are pictures or PDFs, `named` after the assignment or `unnamed`, so
            that they may be of any.
        refused: whether there is something else of the student's that cannot be read.
        due: whether there should be something: the date is over, or without a date others have
            filled in theirs.
        before: what stood in the table, as :func:`before` says.

    Returns:
        `run` for the notebook, `paper`, `unreadable` for a notebook, `refused` for something else,
        `missing`, `before` for what stood in the table, or nothing for no line at all.
    """
    there = before in ("untouched", "paper", "unreadable")
    due = due or papers == "named"
    match notebook, before:
        case "filled", _:
            return "run"
        case _, "filled":  # nothing less takes the place of that
            return "before"
        case "unreadable", _:
            return "unreadable"
        case "untouched", _ if due or before:
            return "run"
        case _ if papers and (due or there):
            return "paper"
        case _, "untouched" | "paper":
            return "before"
        case _ if refused and due:
            return "refused"
        case _, "unreadable":
            return "before"
    return "missing" if due else ""
