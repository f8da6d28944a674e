"""Loosen the pins of requirements.txt to the newest versions that the book can take.

    python tools/newest.py > newest.txt

For the weekly run, which says early when a new version breaks something.
"""

import re
from pathlib import Path

# jupyter-book 2 is another program, and reads neither _config.yml nor _toc.yml; the newer theme
# draws a second header with it. arviz 1 computes rhat elsewhere.
CEILINGS = {"jupyter-book": "<2", "arviz": "<1"}
FIXED = {"sphinx-book-theme"}


def loosened(requirements: str) -> str:
    """Return the requirements with `>=` for `==`, but for those that have a ceiling or stay."""

    def loosen(match: re.Match[str]) -> str:
        name, version = match[1], match[2]
        if name in FIXED:
            return match[0]
        ceiling = f",{CEILINGS[name]}" if name in CEILINGS else ""
        return f"{name}>={version}{ceiling}"

    return re.sub(r"^([\w-]+)==(\S+)$", loosen, requirements, flags=re.M)


if __name__ == "__main__":
    print(loosened((Path(__file__).parent.parent / "requirements.txt").read_text()), end="")
