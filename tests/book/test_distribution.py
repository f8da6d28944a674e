"""The book away from its repository: Binder, Colab, the wheel, releases, and who clones it."""

import ast
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement

import address
import first_cell
import links
import measure_chapters
import newest
import picture
import vaebook

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent.parent

CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def lines(path: Path) -> list[str]:
    """The lines of a requirements file that say something, and the headings of its parts."""
    text = path.read_text(encoding="utf-8").split("\n")
    return [line for line in text if line and (line[0] != "#" or line.startswith("# What"))]


def pins() -> tuple[list[str], list[str]]:
    """The root's pins: what the book needs, and what only the checks need."""
    found = lines(ROOT / "requirements.txt")
    cut = next(i for i, line in enumerate(found) if line.startswith("# What only the checks"))
    return found[1:cut], found[cut + 1 :]


# ---------------------------------------------------------------------------------------------
# Binder


def test_every_requirement_is_pinned_and_there_once() -> None:
    book, checks = pins()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in book + checks)
    names = [line.split("==")[0] for line in book + checks]
    assert sorted(names) == sorted(set(names))


def test_binder_has_the_pins_of_the_book_and_none_of_the_checks() -> None:
    book, _ = pins()
    assert [line for line in lines(ROOT / "binder" / "requirements.txt") if line[0] != "-"] == book


def test_binder_can_keep_its_layer_of_packages() -> None:
    # Only this file is copied before pip runs, so it can't point at another.
    options = [x for x in lines(ROOT / "binder" / "requirements.txt") if x[0] == "-"]
    assert [option.split()[0] for option in options] == ["--extra-index-url"]
    assert options[0].endswith("/whl/cpu")
    assert not any(line[0] == "-" for line in lines(ROOT / "requirements.txt"))


def test_binder_stops_at_the_first_error_and_installs_no_second_torch() -> None:
    script = ROOT / "binder" / "postBuild"
    commands = script.read_text(encoding="utf-8").split("\n")
    assert commands[0].startswith("#!")
    assert "set -e" in commands
    assert all("--no-deps" in line for line in commands if "pip install" in line)
    assert script.stat().st_mode & stat.S_IXUSR


def test_an_image_for_binder_without_the_images_of_mnist_is_not_built() -> None:
    script = (ROOT / "binder" / "postBuild").read_text(encoding="utf-8")
    assert "\npython -m vaebook data --required\n" in script


def test_binder_runs_a_python_that_the_package_takes() -> None:
    runtime = (ROOT / "binder" / "runtime.txt").read_text(encoding="utf-8").strip()
    least = PROJECT["requires-python"].removeprefix(">=")
    assert [int(part) for part in runtime.removeprefix("python-").split(".")] >= [
        int(part) for part in least.split(".")
    ]


# ---------------------------------------------------------------------------------------------
# Colab


@pytest.mark.parametrize("path", [ROOT / "intro.ipynb", *CHAPTERS], ids=lambda p: p.stem)
def test_a_notebook_begins_with_the_cell_for_colab(path: Path) -> None:
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    missing = f"run: python tools/first_cell.py {path.relative_to(ROOT)}"
    assert cells[0].source == first_cell.source(), missing
    assert cells[0].metadata.tags == ["remove-cell"]
    assert sum(cell.source == first_cell.source() for cell in cells) == 1


def test_the_cell_has_at_most_five_lines_of_code() -> None:
    assert len([line for line in first_cell.source().split("\n") if line]) <= 5


def test_the_cell_is_put_in_once() -> None:
    cells = [nbformat.v4.new_markdown_cell("# T"), nbformat.v4.new_code_cell("1 + 1")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    assert first_cell.insert(notebook)
    assert not first_cell.insert(notebook)
    assert [c.source for c in notebook.cells] == ["# T", first_cell.source(), "1 + 1"]
    nbformat.validate(notebook)


def test_the_cell_does_nothing_and_says_nothing_where_the_book_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(tmp_path)
    exec(first_cell.source(), {})
    assert Path.cwd() == tmp_path
    assert capfd.readouterr() == ("", "")


def test_the_cell_fetches_the_book_on_colab_and_may_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, tools, log = tmp_path / "content", tmp_path / "bin", tmp_path / "log"
    tools.mkdir()
    content.mkdir()
    acts = {"git": f'mkdir -p "{content}/book/chapters"', "pip": "true", "python": "true"}
    for name, act in acts.items():
        (tools / name).write_text(f'#!/bin/sh\necho {name} "$@" >> "{log}"\n{act}\n')
        (tools / name).chmod(0o755)
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.chdir(content)
    source = first_cell.source().replace("/content", str(content))
    for _ in range(2):
        exec(source, {})
        assert Path.cwd() == content / "book" / "chapters"
    asked = log.read_text().split("\n")
    assert asked[0] == f"git clone -q --depth 1 {first_cell.address()} {content}/book"
    assert asked[1] == f"pip install -q {content}/book[notebooks]"
    assert asked[2] == "python -m vaebook data"


def test_colab_keeps_its_own_numpy_and_torch() -> None:
    # Ranges without an upper end are satisfied by what is there, so pip leaves it alone.
    wanted = {re.split(r"[<>=]", d)[0]: d for d in PROJECT["dependencies"]}
    for name in ("numpy", "torch", "torchvision", "scipy", "scikit-learn"):
        assert re.fullmatch(rf"{name}>=[\d.]+", wanted[name])


def test_every_dependency_has_a_floor_and_the_pins_stand_on_it() -> None:
    book, checks = pins()
    pinned = dict(line.split("==") for line in book + checks)
    extras = [d for part in PROJECT["optional-dependencies"].values() for d in part]
    for dependency in map(Requirement, PROJECT["dependencies"] + extras):
        assert any(part.operator == ">=" for part in dependency.specifier), str(dependency)
        if dependency.name in pinned:
            assert dependency.specifier.contains(pinned[dependency.name]), str(dependency)


# ---------------------------------------------------------------------------------------------
# The wheel


def test_the_package_declares_exactly_what_it_imports() -> None:
    names = {"PIL": "pillow", "sklearn": "scikit-learn", "IPython": "ipython"}
    names |= {"traitlets": "anywidget"}  # which cannot be without them
    declared = {re.split(r"[<>=]", d)[0] for d in PROJECT["dependencies"]}
    extras = [d for part in PROJECT["optional-dependencies"].values() for d in part]
    extra = {re.split(r"[<>=]", d)[0] for d in extras}
    found = set()
    for path in (ROOT / "vaebook").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.split(".")[0])
    foreign = {names.get(name, name) for name in found - sys.stdlib_module_names - {"vaebook"}}
    assert foreign <= declared | extra
    assert declared <= foreign


def test_the_chapters_import_only_what_the_wheel_and_its_extra_bring() -> None:
    known = {"myst_nb", "pandas", "sklearn", "PIL", "vaebook", "arviz", "IPython"}
    known |= {re.split(r"[<>=]", d)[0] for d in PROJECT["dependencies"]} | sys.stdlib_module_names
    for path in CHAPTERS:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                for node in ast.walk(ast.parse(cell.source)):
                    if isinstance(node, ast.Import):
                        assert {a.name.split(".")[0] for a in node.names} <= known, path.name
                    elif isinstance(node, ast.ImportFrom):
                        assert (node.module or "").split(".")[0] in known, path.name


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, so that nothing is left in the checkout."""
    folder = tmp_path_factory.mktemp("built here")
    copy = folder / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (copy / name).write_bytes((ROOT / name).read_bytes())
    for path in (ROOT / "vaebook").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            target = copy / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    # Without isolation: nothing is fetched, so this runs without a network.
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder)]
    pip(sys.executable, "wheel", *options, str(copy))
    (built,) = folder.glob("*.whl")
    return built


def pip(python: str | Path, *arguments: str) -> None:
    """Run pip for an interpreter, quietly."""
    command = [sys.executable, "-m", "pip", "--quiet", "--python", str(python), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_wheel_contains_the_weights_and_stays_small(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    there = {p for p in (ROOT / "vaebook").rglob("*") if p.is_file()}
    wanted = {p.relative_to(ROOT).as_posix() for p in there if "__pycache__" not in p.parts}
    assert wanted - {name for name in wanted if name.endswith(".pyc")} <= inside
    assert any(name.endswith(".safetensors") for name in inside)
    assert wheel.stat().st_size < 30e6


def test_the_wheel_installs_into_an_empty_environment_and_every_room_works_there(
    wheel: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    pip(python, "install", "--no-deps", "--no-index", str(wheel))
    # The dependencies are borrowed: downloading torch is what the release does. A path in a .pth
    # file brings the packages that lie there, but not this checkout, which is installed editable.
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    packages = Path(nbformat.__file__).parents[1]
    (site / "borrowed.pth").write_text(f"{packages}\n")
    result = subprocess.run(
        [str(python), "-c", USE_EVERY_ROOM],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    place, loaded = result.stdout.split()[-2:]
    assert place.startswith(str(tmp_path / "env"))
    assert int(loaded) == len(list((ROOT / "vaebook" / "weights").glob("*.safetensors")))


USE_EVERY_ROOM = """
import torch
import vaebook
from vaebook import datasets, figures, live, models, objectives, recipes, tables, training
from vaebook.latent import geometry, mixtures, paths, samplers, shapes
from vaebook.measures import agreement, bounds, disentanglement, heatmaps

loaded = [recipes.load(name) for name in recipes.available()]
trained = recipes.load("mnist-mlp-2d")
model, codes = trained.model, trained.codes[:500]
images = datasets.digits()[:40]
moments = mixtures.class_moments(codes.mu, codes.logvar, codes.labels)
path = paths.line(moments.means[0], moments.means[1], 5)
assert shapes.convex_hull(codes.mu).depth(path).shape == (5,)
assert geometry.length(model.decode, path[None]) > 0
chain = samplers.pcn(model.target(images.images[0]), torch.zeros(2, 2), 20, 0.2)
assert chain.positions.shape == (20, 2, 2)
assert bounds.elbo(model, images).elbo.shape == (40,)
assert agreement.frechet_distance(codes.mu, codes.mu) == 0
assert 0 <= disentanglement.sap(codes.mu, codes.mu + 1) <= 1
grey = datasets.heatmap_images(*torch.tensor([[1.0], [2.0], [0.5]]))
assert heatmaps.fit_heatmaps(grey).distance.item() < 1e-3
small = models.VAE(
    models.networks.MLPEncoder(4, (8,)), models.networks.MLPDecoder(2, (8,)), 2, models.Bernoulli()
)
history = training.fit(small, objectives.negative_elbo, images, epochs=1, progress=False)
assert history.epochs["loss"]
assert "<div" in figures.image_grid(model.decode(path), columns=5, alt="Five.")._repr_html_()
shown = live.latent_map(model, codes.mu, codes.labels, alt="A map.")._repr_html_()
assert "customElements.define" in shown
assert all(tables.load(name).rows for name in tables.available())
print(vaebook.__file__, len(loaded))
"""


# ---------------------------------------------------------------------------------------------
# Releases


def test_the_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    latest = re.search(r"^## (\S+)", changes, re.M)
    assert latest
    versions = {PROJECT["version"], vaebook.__version__, str(citation["version"]), latest[1]}
    assert versions == {vaebook.__version__}


def test_the_address_of_the_repository_is_the_same_everywhere() -> None:
    here = first_cell.address()
    for path in address.files():
        for found in address.ADDRESS.findall(path.read_text(encoding="utf-8")):
            if "/vaebook" in found:
                assert found.removesuffix(".git") == here, path.name


def test_the_address_changes_everywhere_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = first_cell.address(), "https://github.com/some-body/a.book"
    page = tmp_path / "a.md"
    page.write_text(f"{old}/blob and {address._quoted(old)} and gh/{address._slug(old)}/main")
    monkeypatch.setattr(address, "files", lambda: [page])
    address.replace(old, new)
    expected = f"{new}/blob and {address._quoted(new)} and gh/some-body/a.book/main"
    assert page.read_text() == expected


def test_an_address_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        address.main(["git@github.com:a/b"])
    assert "must be https://github.com/" in capsys.readouterr().err
    assert address.main(["--check", first_cell.address()]) == 0
    assert address.main(["--check", "https://github.com/a/b"]) == 1


def test_newest_versions_are_those_that_the_book_can_take() -> None:
    loose = newest.loosened((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    assert "jupyter-book>=1.0.4.post1,<2" in loose
    assert "sphinx-book-theme==1.1.4" in loose
    assert re.search(r"^torch>=[\d.]+$", loose, re.M)
    assert len(loose.split("\n")) == len((ROOT / "requirements.txt").read_text().split("\n"))


def test_a_dead_link_is_told_from_a_refused_one() -> None:
    found = {"filename": "a.md", "lineno": 1, "uri": "https://example.org"}
    reasons = {"404 Client Error": 1, "403 Client Error: Forbidden": 0, "Name not known": 1}
    for reason, count in reasons.items():
        dead, refused = links.sort([json.dumps(found | {"status": "broken", "info": reason}), ""])
        assert (len(dead), len(refused)) == (count, 1 - count)
    assert links.sort([json.dumps(found | {"status": "working", "info": ""})]) == ([], [])


@pytest.mark.parametrize(
    ("status", "lines", "ends"),
    [(0, 1, 0), (1, 1, 0), (0, 0, 1), (2, 1, 2)],
    ids=["all work", "Sphinx warns", "none was tried", "Sphinx broke off"],
)
def test_a_check_of_links_that_broke_off_has_not_passed(
    status: int, lines: int, ends: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sphinx(checked: Path, *_: Any, **__: Any) -> int:
        checked.mkdir(parents=True)
        works = {"filename": "a.md", "lineno": 1, "uri": "a", "status": "working", "info": ""}
        (checked / "output.json").write_text(lines * (json.dumps(works) + "\n"))
        return status

    monkeypatch.setattr(links.build, "BUILD", tmp_path)
    monkeypatch.setattr(links.build, "sphinx", sphinx)
    assert links.main() == ends


# ---------------------------------------------------------------------------------------------
# What the texts for newcomers say


def test_what_the_readme_and_the_guides_name_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in ("README.md", "CONTRIBUTING.md", "chapters/running.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(r"`make ([a-z -]+)", text):
            for word in target.split():
                assert re.search(rf"^{word}:", makefile, re.M), f"{name}: make {word}"
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (ROOT / link).exists(), f"{name}: {link}"
        folders = r"`((?:tests|tools|assignments|benchmarks|experiments)/[\w/.]+)`"
        for folder in re.findall(folders, text):
            known = (ROOT / folder).exists() or "N_name" in folder
            assert known, f"{name}: {folder}"


def test_the_picture_is_small_and_described() -> None:
    found = re.findall(r"!\[(.*)\]\((.*)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    ((alt, path),) = found
    assert len(alt) > 40
    assert (ROOT / path).stat().st_size < 150_000


def test_the_picture_is_made_by_its_script(tmp_path: Path) -> None:
    picture.draw(tmp_path / "picture.png")
    assert 20_000 < (tmp_path / "picture.png").stat().st_size < 150_000


def test_the_appendix_has_the_measured_table_and_no_chapter_needs_more_than_binder_has() -> None:
    results = json.loads(measure_chapters.RESULTS.read_text(encoding="utf-8"))
    assert set(results) == {path.stem for path in CHAPTERS}, "run: make measure"
    assert measure_chapters.table(results) in measure_chapters.PAGE.read_text(encoding="utf-8")
    for name, result in results.items():
        # The program that runs the notebook on Binder is larger than the one that measured.
        assert result["megabytes"] < 1700, name
        assert result["processor_seconds"] < 120, name


# ---------------------------------------------------------------------------------------------
# A machine as a reader has it


def make(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Ask make what it would do."""
    command = ["make", "-n", "--no-print-directory", *arguments]
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=environment | variables,
    )


def test_make_works_in_a_folder_with_a_space_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "my books"
    folder.mkdir()
    for name in ("Makefile", "requirements.txt", "pyproject.toml", "_config.yml", "_toc.yml"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    for name in ("vaebook", "chapters", "_static", "assets"):
        (folder / name).mkdir()
    shutil.copytree(ROOT / "tools", folder / "tools")
    for name in ("intro.ipynb", "references.bib"):
        (folder / name).touch()
    for target in ("book", "test", "assignments", "wheel", "zip"):
        result = make(target, folder=folder)
        assert result.returncode == 0, result.stderr
        assert "my books" not in result.stdout, "a path that is not relative breaks at the space"


def test_make_grade_takes_a_folder_with_a_space_in_its_name() -> None:
    result = make("grade", "SUBMISSIONS=my course/week 1", "SEED=3", folder=ROOT)
    assert '"my course/week 1"' in result.stdout
    assert '--seed "3"' in result.stdout
