"""What runs elsewhere, in an editor or before a commit names what exists."""

import configparser
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted((GITHUB / "ISSUE_TEMPLATE").glob("[!c]*.yml"))  # config.yml is none
TARGETS = set(re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
CONFIG = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
HOOKS = {hook["id"]: hook for repository in CONFIG["repos"] for hook in repository["hooks"]}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MADE = {"_build", ".venv", "node_modules"}

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def said(node: object) -> str:
    """All the texts of a parsed file, without the comments of its source."""
    if isinstance(node, dict):
        return "\n".join(map(said, node.values()))
    return "\n".join(map(said, node)) if isinstance(node, list) else str(node)


def targets(command: str, text: str) -> list[str]:
    """What a command is given, wherever it stands in a line of a script, but for variables."""
    lines = re.findall(rf"(?:^|[;&|] *){command}((?: [\w./=-]+)*)", text, re.M)
    return [word for line in lines for word in line.split() if "=" not in word]


def missing(text: str) -> list[str]:
    """The files and tests of the repository that a text names and that aren't there."""
    folders = [re.escape(p.name) for p in ROOT.iterdir() if p.is_dir() and p.name not in MADE]
    below = rf"(?<![\w./-])((?:{'|'.join(folders)})/[\w./*-]+)(?:::(\w+))?"
    found = re.findall(below, text)
    found += [(name, "") for name in re.findall(r"(?<![\w./-])[\w-]+\.(?:toml|md)\b", text)]
    absent = []
    for path, test in found:
        files = list(ROOT.glob(path))
        if not files or (test and f"def {test}(" not in files[0].read_text(encoding="utf-8")):
            absent.append(f"{path}::{test}" if test else path)
    return absent


def test_what_is_missing_is_found() -> None:
    text = "python tools/no.py; pytest tests/book --deselect tests/book/test_labels.py::test_no"
    assert missing(text) == ["tools/no.py", "tests/book/test_labels.py::test_no"]
    script = "cd /tmp && make zip pdf\nmakes x\nmake book A=b; make no"
    assert targets("make", script) == ["zip", "pdf", "book", "no"]


@each_workflow
def test_a_workflow_has_a_time_limit_and_few_rights(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"]["contents"] == "read"
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


@each_workflow
def test_every_target_and_path_that_a_workflow_names_exists(path: Path) -> None:
    text = said(yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"])
    assert set(targets("make", text) + targets(r"\.ci/run", text)) <= TARGETS
    assert missing(text) == []


def test_workflows_run_the_checks_publish_pages_and_wheel_and_look_every_week() -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in WORKFLOWS}
    assert list(texts) == ["ci", "pages", "release", "weekly"]
    assert all(word in texts["ci"] for word in (".ci/run", "macos-latest", "lowest-direct"))
    assert "deploy-pages" in texts["pages"]
    assert all(word in texts["release"] for word in (".ci/run", "make wheel", "make zip", "tags"))
    weekly = ("schedule", "test-all", "newest.py", "data --required", "DATA=offline")
    assert all(word in texts["weekly"] for word in weekly)


@pytest.mark.parametrize(("name", "build"), [("pages", "make book"), ("release", ".ci/run")])
def test_nothing_is_published_without_the_images_of_mnist(name: str, build: str) -> None:
    workflow = yaml.safe_load((GITHUB / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))
    steps = [
        step.get("run", step.get("uses", ""))
        for job in workflow["jobs"].values()
        for step in job["steps"]
    ]
    order = [
        ".venv/bin/python -m vaebook data --required",
        build,
        ".venv/bin/python tools/originals.py _build/html",
        next(step for step in steps if "upload-pages-artifact" in step),
    ]
    assert [step for step in steps if step in order] == order


def test_the_oldest_python_that_the_package_takes_is_tried_on_every_push() -> None:
    jobs = yaml.safe_load((GITHUB / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert oldest in jobs["test"]["strategy"]["matrix"]["python"]
    for name in ("macos", "floors"):
        setup = next(s for s in jobs[name]["steps"] if "setup-python" in s.get("uses", ""))
        assert setup["with"]["python-version"] == oldest


def test_updates_are_looked_for_where_the_pins_are_and_leave_alone_what_is_held_back() -> None:
    updates = yaml.safe_load((GITHUB / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    assert {u["package-ecosystem"] for u in updates} == {"pip", "npm", "github-actions"}
    (pip,) = (u for u in updates if u["package-ecosystem"] == "pip")
    assert all((ROOT / d.strip("/") / "requirements.txt").is_file() for d in pip["directories"])
    held = {rule["dependency-name"] for rule in pip["ignore"]}
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert held <= set(re.findall(r"^([\w-]+)==", pins, re.M))
    assert {"jupyter-book", "sphinx-book-theme", "torch", "torchvision"} <= held


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_asks_for_something_and_has_no_field_twice(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    fields = [field["id"] for field in form["body"]]
    assert len(fields) == len(set(fields))
    assert any(field.get("validations", {}).get("required") for field in form["body"])


def test_the_container_installs_by_a_target_of_make_and_counts_threads_as_make_does() -> None:
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    install = targets("make", said(container["postCreateCommand"]))
    assert install
    assert set(install) <= TARGETS
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name, value in container["containerEnv"].items():
        assert re.search(rf"^export {name} [:?]= {value}$", makefile, re.M), name


# ---------------------------------------------------------------------------------------------
# Before a commit, and in an editor


def tool(hook: dict[str, str]) -> Path:
    """The program of a hook, beside the Python that runs the tests."""
    return Path(sys.executable).parent / Path(hook["entry"].split()[0]).name


def test_every_hook_is_a_tool_of_the_environment_and_fetches_nothing() -> None:
    assert {"ruff-check", "ruff-format", "codespell", "nbstripout"} <= set(HOOKS)
    for name, hook in HOOKS.items():
        if hook["language"] != "fail":
            assert hook["language"] == "unsupported", name
            assert hook["entry"].startswith(".venv/bin/"), name
            assert tool(hook).is_file(), name


@pytest.mark.slow
def test_no_hook_changes_a_notebook_or_refuses_a_file_that_is_committed() -> None:
    git = ["git", "ls-files", "-z"]
    tracked = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    files = [name for name in tracked.split("\0") if (ROOT / name).is_file()]
    if not files:
        pytest.skip("a copy without git's metadata")
    data = re.compile(HOOKS["data"]["files"])
    assert [name for name in files if data.search(name)] == []
    for name in ("raw/train-images-idx3-ubyte", "t10k-labels-idx1-ubyte.gz", "a/model.pt"):
        assert data.search(name)
    (limit,) = re.findall(r"--maxkb=(\d+)", HOOKS["large-files"]["entry"])
    assert all((ROOT / name).stat().st_size <= 1024 * int(limit) for name in files)
    hook = HOOKS["nbstripout"]
    notebooks = [name for name in files if name.endswith(".ipynb")]
    command = [str(tool(hook)), *hook["entry"].split()[1:], "--verify", *notebooks]
    stripped = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert stripped.returncode == 0, stripped.stdout


def test_editors_break_lines_where_ruff_and_prettier_do() -> None:
    layout = configparser.ConfigParser()
    layout.read_string("[top]\n" + (ROOT / ".editorconfig").read_text(encoding="utf-8"))
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    width = int(layout["*.{js,py}"]["max_line_length"])
    assert width == PROJECT["tool"]["ruff"]["line-length"] == package["prettier"]["printWidth"]
