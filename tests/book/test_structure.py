"""The package stands on its floors, is documented, and names no machine."""

import ast
import contextlib
import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "vaebook"
FLOORS = {
    "_pictures": 2,
    "anchors": 2,
    "_renderer": 1,
    "datasets": 1,
    "networks": 1,
    "models": 2,
    "objectives": 2,
    "mixtures": 2,
    "samplers": 2,
    "paths": 2,
    "validity": 2,
    "disentanglement": 3,
    "evaluate": 3,
    "training": 3,
    "figures": 3,
    "explorer": 3,
    "recipes": 4,
    "__main__": 5,
}
MODULES = sorted(p for p in PACKAGE.glob("*.py") if p.stem != "__init__")


def imported(tree: ast.AST) -> set[str]:
    """The modules of the package that a file imports, at any depth."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("vaebook.")}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level or module == "vaebook":
                inner = module if node.level else ""
                found |= {inner.split(".")[0]} if inner else {a.name for a in node.names}
            elif module.startswith("vaebook."):
                found.add(module.split(".")[1])
    return {name for name in found if name in FLOORS or (PACKAGE / f"{name}.py").is_file()}


def too_high(stem: str, source: str) -> set[str]:
    """What a module imports from its own floor or from above."""
    return {m for m in imported(ast.parse(source)) if FLOORS[m] >= FLOORS[stem]}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_a_module_imports_only_from_lower_floors(path: Path) -> None:
    assert path.stem in FLOORS, "a new module needs a floor, here and in CONTRIBUTING.md"
    assert too_high(path.stem, path.read_text(encoding="utf-8")) == set()


def test_an_import_from_above_is_found_in_every_spelling() -> None:
    for source in (
        "import vaebook.recipes",
        "from vaebook import recipes",
        "from vaebook.recipes import load",
        "def f():\n    from . import recipes",
        "from .recipes import load",
    ):
        assert too_high("models", source) == {"recipes"}


def public(module: ModuleType) -> dict[str, object]:
    """The public functions, classes and methods that a module defines, by qualified name."""
    own = {
        name: thing
        for name, thing in vars(module).items()
        if getattr(thing, "__module__", None) == module.__name__ and not name.startswith("_")
    }
    methods = {
        f"{name}.{member}": getattr(thing, member)
        for name, thing in own.items()
        if inspect.isclass(thing)
        for member, value in vars(thing).items()
        if inspect.isfunction(value) and not member.startswith("_")
    }
    return {n: t for n, t in (own | methods).items() if inspect.isclass(t) or callable(t)}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_everything_public_has_a_docstring_and_annotations(path: Path) -> None:
    module = importlib.import_module(f"vaebook.{path.stem}")
    assert module.__doc__
    for name, thing in public(module).items():
        assert inspect.getdoc(thing), f"{name} has no docstring"  # one's own or the base's
        if inspect.isfunction(thing):
            signature = inspect.signature(thing)
            assert signature.return_annotation is not signature.empty, f"{name} returns what?"
            parameters = [
                p for p in signature.parameters.values() if p.name not in ("self", "cls")
            ]
            bare = [p.name for p in parameters if p.annotation is p.empty]
            assert bare == [], f"{name} has arguments without a type"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_all_follows_the_docstring_and_names_what_is_there(path: Path) -> None:
    if path.stem == "__main__":
        return
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert isinstance(body[1], ast.Assign)
    assert body[1].targets[0].id == "__all__"  # type: ignore[attr-defined]
    module = importlib.import_module(f"vaebook.{path.stem}")
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_the_package_imports_without_torchvision_and_without_a_plot_library() -> None:
    core = "datasets, networks, models, objectives, training, evaluate, recipes"
    loaded = "*(name in sys.modules for name in ('torchvision', 'plotly'))"
    code = f"import sys; from vaebook import {core}; print({loaded})"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "False"]


def files_of_the_book() -> list[Path]:
    """The tracked files; in a copy without git's metadata all that nothing has built."""
    command = ["git", "ls-files", "-z"]
    with contextlib.suppress(FileNotFoundError):
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if listed.returncode == 0 and listed.stdout:
            return [ROOT / name for name in listed.stdout.split("\0") if name]
    built = {"_build", "__pycache__", "vaebook.egg-info", "node_modules"}
    found = (p for p in ROOT.rglob("*") if p.is_file())
    parts = ((p, p.relative_to(ROOT).parts) for p in found)
    hidden = (".ci", ".github", ".gitignore")
    return [
        path
        for path, names in parts
        if not built & set(names) and (names[0][0] != "." or names[0] in hidden)
    ]


def test_no_tracked_file_names_a_path_of_a_machine() -> None:
    # Written apart, so that this file passes its own test.
    words = ["/" + "work/", "/" + "home/", "/" + "root/", "/" + "Users/"]
    found = []
    for path in files_of_the_book():
        if not path.is_file() or "vendor" in path.parts:
            continue
        content = path.read_bytes()
        if b"\0" not in content[:8000]:
            text = content.decode("utf-8", errors="replace")
            found += [f"{path.relative_to(ROOT)}: {word}" for word in words if word in text]
    assert found == []
