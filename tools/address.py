"""Carry the address of the repository from `_config.yml` to every file that repeats it.

    python tools/address.py https://github.com/NAME/REPOSITORY    set it everywhere
    python tools/address.py --check ADDRESS                       fail where another one stands

The address that the files come with belongs to nobody: no account at GitHub can have two hyphens
in a row. Run this once after publishing, and commit.
"""

import argparse
import re
import sys
from pathlib import Path

import first_cell

ROOT = first_cell.ROOT
FILES = ["README.md", "CITATION.cff", "pyproject.toml", "_config.yml", "CHANGELOG.md"]
ADDRESS = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+")


def files() -> list[Path]:
    """Return what may repeat the address."""
    found = [ROOT / name for name in FILES]
    found += [p for pattern in ("*.ipynb", "*.md") for p in (ROOT / "chapters").glob(pattern)]
    found.append(ROOT / "intro.ipynb")
    return sorted(path for path in found if path.is_file())


def replace(old: str, new: str) -> list[Path]:
    """Write the new address where the old one stands, also where it is quoted for a link."""
    changed = []
    for path in files():
        text = path.read_text(encoding="utf-8")
        for before, after in ((old, new), (_quoted(old), _quoted(new)), (_slug(old), _slug(new))):
            text = text.replace(before, after)
        if text != path.read_text(encoding="utf-8"):
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def _quoted(address: str) -> str:
    return address.replace(":", "%3A").replace("/", "%2F")


def _slug(address: str) -> str:
    return address.removeprefix("https://github.com/")


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("address", help="https://github.com/NAME/REPOSITORY")
    parser.add_argument("--check", action="store_true", help="change nothing")
    options = parser.parse_args(arguments)
    new, old = options.address.removesuffix("/").removesuffix(".git"), first_cell.address()
    if not ADDRESS.fullmatch(new):
        parser.error(f"address must be https://github.com/NAME/REPOSITORY, got {options.address}")
    if options.check:
        if new != old:
            print(f"The files say {old}: run `python tools/address.py {new}` and commit.")
        return int(new != old)
    for path in replace(old, new):
        print(f"changed {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
