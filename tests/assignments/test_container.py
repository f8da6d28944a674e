"""The grader in a container: what its recipe copies is there, and it grades where an engine is."""

import re
import subprocess
from pathlib import Path

import nbformat
import pytest

import masters

ROOT = Path(__file__).resolve().parent.parent.parent
RECIPE = ROOT / "assignments" / "Dockerfile"


def test_what_the_recipe_copies_is_there_and_is_not_left_out() -> None:
    kept = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.M)
    copied = re.findall(r"^COPY (.+) \S+$", RECIPE.read_text(encoding="utf-8"), re.M)
    names = [name for line in copied for name in line.split()]
    assert len(names) >= 8
    assert set(names) == set(kept)
    assert all((ROOT / name).exists() for name in names)


def test_the_guide_runs_the_container_without_a_network() -> None:
    guide = (ROOT / "chapters" / "instructors_guide.md").read_text(encoding="utf-8")
    assert "podman build --file assignments/Dockerfile --tag grader ." in guide
    assert "--network=none" in guide


@pytest.mark.slow
@pytest.mark.weekly
def test_a_container_grades_with_all_walls(engine: str, tmp_path: Path) -> None:
    build = [engine, "build", "--file", str(RECIPE), "--tag", "vaebook-grader-test", str(ROOT)]
    subprocess.run(build, check=True, timeout=3600)
    notebook = masters.masters()["5_beta"].notebook
    (tmp_path / "submissions" / "ada").mkdir(parents=True)
    nbformat.write(notebook, tmp_path / "submissions" / "ada" / "5_beta.ipynb")
    walls = ["--security-opt", "seccomp=unconfined"]
    walls += ["--security-opt", "unmask=ALL" if "podman" in engine else "systempaths=unconfined"]
    command = [engine, "run", "--rm", "--network=none", *walls, "--volume", f"{tmp_path}:/course"]
    result = subprocess.run(
        [*command, "vaebook-grader-test"], capture_output=True, text=True, timeout=1200
    )
    assert result.returncode == 0, result.stderr
    assert "NOT PROTECTED" not in result.stdout
    assert re.search(r"ada +5_beta +25 of 25", result.stdout)
