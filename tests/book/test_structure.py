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

import floors

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "vaebook"

ORDER = [name for floor in floors.order() for name in floor]


def name_of(path: Path) -> str:
    """The dotted name of a file within the package; a room's own file has the room's name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
del MODULES[""]  # the package itself, which imports a room when it is first used

each_module = pytest.mark.parametrize("name", MODULES)


def imported(tree: ast.AST) -> set[str]:
    """The modules of the package that a file imports, at any depth, by dotted name."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {a.name.removeprefix("vaebook.") for a in node.names if "vaebook." in a.name}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            module = node.module or ""
            if module.split(".")[0] == "vaebook":
                room = module.removeprefix("vaebook").removeprefix(".")
                dotted = {f"{room}.{a.name}".removeprefix(".") for a in node.names}
                found |= {name if name in MODULES else room for name in dotted}
    return found - {""}


def too_high(name: str, source: str) -> set[str]:
    """What a module imports from beside itself or from above."""
    below = ORDER[: ORDER.index(name)]
    return {module for module in imported(ast.parse(source)) if module not in below}


def test_the_floors_list_every_module_once() -> None:
    assert sorted(ORDER) == sorted(MODULES)


@each_module
def test_a_module_imports_only_what_stands_below_it(name: str) -> None:
    assert too_high(name, MODULES[name].read_text(encoding="utf-8")) == set()


def test_an_import_from_above_is_found_in_every_spelling() -> None:
    for source in (
        "import vaebook.recipes",
        "from vaebook import recipes",
        "from vaebook.recipes import load",
        "def f():\n    from vaebook.recipes import load",
    ):
        assert too_high("models.latent", source) == {"recipes"}
    for source in ("from vaebook.models.latent import VAE", "from vaebook.models import latent"):
        assert too_high("models.networks", source) == {"models.latent"}


def test_contributing_draws_the_floors_that_this_test_reads() -> None:
    page = floors.PAGE.read_text(encoding="utf-8")
    assert floors.drawn(page) == page, "run: python tools/floors.py"


@pytest.mark.slow
@each_module
def test_private_names_stay_in_their_room(name: str) -> None:
    room = name.split(".")[0]
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vaebook."):
            other = (node.module or "").split(".")[1]
            private = [a.name for a in node.names if a.name.startswith("_")]
            assert other == room or private == []


def test_no_module_holds_more_than_15_percent_of_the_lines() -> None:
    files = [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.js")]
    lines = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    largest = max(lines, key=lambda name: lines[name])
    assert lines[largest] <= 0.15 * sum(lines.values()), largest


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


@each_module
def test_everything_public_has_a_docstring_and_annotations(name: str) -> None:
    module = importlib.import_module(f"vaebook.{name}")
    assert module.__doc__
    for member, thing in public(module).items():
        assert inspect.getdoc(thing), f"{member} has no docstring"  # one's own or the base's
        if inspect.isfunction(thing):
            signature = inspect.signature(thing)
            assert signature.return_annotation is not signature.empty, f"{member} returns what?"
            parameters = [
                p for p in signature.parameters.values() if p.name not in ("self", "cls")
            ]
            bare = [p.name for p in parameters if p.annotation is p.empty]
            assert bare == [], f"{member} has arguments without a type"


@each_module
def test_all_follows_the_docstring_and_names_what_is_there(name: str) -> None:
    if name == "__main__":
        return
    body = ast.parse(MODULES[name].read_text(encoding="utf-8")).body
    module = importlib.import_module(f"vaebook.{name}")
    if MODULES[name].name != "__init__.py":
        assert isinstance(body[1], ast.Assign)
        assert body[1].targets[0].id == "__all__"  # type: ignore[attr-defined]
    elif len(body) == 1:
        return  # a room that is only a place
    assert [member for member in module.__all__ if not hasattr(module, member)] == []


@pytest.mark.slow
def test_the_package_imports_without_scipy_torchvision_and_a_plot_library() -> None:
    core = "datasets, models, objectives, training, recipes, tables"
    rooms = "from vaebook.latent import mixtures, paths, shapes, geometry, samplers; "
    rooms += "from vaebook.measures import bounds, disentanglement, heatmaps, agreement"
    heavy = "[m for m in ('torchvision', 'plotly', 'scipy', 'sklearn') if m in sys.modules]"
    code = f"import sys; from vaebook import {core}; {rooms}; print({heavy})"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.slow
def test_importing_the_package_changes_nothing_in_the_process() -> None:
    code = """
import numpy, torch, plotly.io as pio
before = pio.renderers.default, list(pio.templates), torch.get_default_dtype()
tiny = torch.tensor([1e-40]) * 1
import vaebook
for room in vaebook.__all__:
    getattr(vaebook, room)
from vaebook.latent import geometry, mixtures, paths, samplers, shapes
assert before == (pio.renderers.default, list(pio.templates), torch.get_default_dtype())
assert (torch.tensor([1e-40]) * 1 == tiny).all() and tiny > 0, "denormal numbers are flushed"
from scipy.spatial import KDTree
KDTree(numpy.maximum(numpy.random.default_rng(0).normal(size=(100, 2)), 0))
print("unchanged")
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.stdout.strip() == "unchanged", result.stderr


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
