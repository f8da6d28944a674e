"""Draw the floors of the package into CONTRIBUTING.md, from the list that the tests read.

    python tools/floors.py

The list is `tool.floors.order` in pyproject.toml, from the ground up.
"""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- the floors: tools/floors.py -->", "<!-- end of the floors -->"


def order() -> list[list[str]]:
    """Return the modules of each floor, from the ground up."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    floors: list[list[str]] = project["tool"]["floors"]["order"]
    return floors


def table() -> str:
    """Return the floors as a house, the ground at the bottom."""
    lines = ["| floor | modules, from the bottom of the room |", "| --- | --- |"]
    for number, floor in reversed(list(enumerate(order()))):
        names = [name for name in floor if not any(n.startswith(f"{name}.") for n in floor)]
        lines.append(f"| {number} | {', '.join(f'`{name}`' for name in names)} |")
    return "\n".join(lines)


def drawn(page: str) -> str:
    """Return the page with the table in its place."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
