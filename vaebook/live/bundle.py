"""The page's script: ES modules joined into one, since a page on a disk can import none."""

__all__ = ["SCRIPTS", "bundle"]

import functools
import re
from pathlib import Path

SCRIPTS = Path(__file__).parent / "js"

_IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.[^"]*)";\n', re.MULTILINE)
_COMMENT = re.compile(r"^ *//.*\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)


@functools.cache
def bundle(entry: str = "main.js", folder: Path = SCRIPTS) -> str:
    """Return a module and all that it imports as the text of one module.

    Each module below the entry becomes a function that is called once, in the order of the
    imports, and returns what the module exports. Lines that are comments stay behind: each page
    that has a live figure carries the rest.

    Args:
        entry: the uppermost module, whose default export stays one.
        folder: where it lies.

    Raises:
        ValueError: for modules that import each other, a file or a name that does not exist, or
            another form of import than `import { names } from "./file.js";`.

    Example:
        >>> "class Network" in bundle("network.js")
        True
    """
    exports: dict[Path, list[str]] = {}
    parts: list[str] = []

    def read(path: Path, above: tuple[Path, ...]) -> str:
        if path in above:
            circle = " -> ".join(file.name for file in (*above[above.index(path) :], path))
            raise ValueError(f"modules must not import each other, got {circle}")
        if not path.is_file():
            raise ValueError(f"{above[-1].name} imports {path.name}, which does not exist")
        text = _COMMENT.sub("", path.read_text(encoding="utf-8"))
        exports[path] = [match[1] for match in _EXPORT.finditer(text)]

        def use(match: re.Match[str]) -> str:
            names = [name.strip() for name in match[1].split(",") if name.strip()]
            below = (path.parent / match[2]).resolve()
            if below not in exports or below in (*above, path):
                add(below, (*above, path))
            for name in set(names) - set(exports[below]):
                raise ValueError(f"{path.name} imports {name}, which {below.name} does not export")
            return f"const {{ {', '.join(names)} }} = {_variable(below, folder)};\n"

        text = _EXPORT.sub("", _IMPORT.sub(use, text))
        if other := re.search(r"^(import\b|export (?!default)).*", text, re.MULTILINE):
            raise ValueError(f"{path.name} has a form that is not known: {other[0]}")
        return text

    def add(path: Path, above: tuple[Path, ...]) -> None:
        text = read(path, above)
        names = ", ".join(exports[path])
        parts.append(
            f"const {_variable(path, folder)} = (() => {{\n{text}return {{ {names} }};\n}})();\n"
        )

    last = read((folder / entry).resolve(), ())
    return "".join([*parts, last])


def _variable(path: Path, folder: Path) -> str:
    """The name under which a module is known to those above it."""
    return "$" + re.sub(r"\W", "_", path.relative_to(folder.resolve()).with_suffix("").as_posix())
