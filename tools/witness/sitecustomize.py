"""Write down which files of the package a process reads; see `tools/execute.py`."""

import os
import re
import sys

_TARGET = os.environ.get("VAEBOOK_WITNESS", "")
_ROOT = os.environ.get("VAEBOOK_WITNESS_ROOT", "")
_seen: set[str] = set()


def _witness(event: str, arguments: tuple[object, ...]) -> None:
    if event != "open" or not isinstance(arguments[0], str):
        return
    path = os.path.abspath(arguments[0])
    if not path.startswith(_ROOT + os.sep) or path in _seen:
        return
    _seen.add(path)
    # A compiled module stands for its source.
    path = re.sub(r"__pycache__/(\w+)\.cpython-\w+(?:\.opt-\d)?\.pyc.*$", r"\1.py", path)
    with open(_TARGET, "a", encoding="utf-8") as file:
        file.write(os.path.relpath(path, os.path.dirname(_ROOT)) + "\n")


if _TARGET and _ROOT:
    sys.addaudithook(_witness)
