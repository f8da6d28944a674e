"""What the unit tests share: the page's script, run by node."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.cluster import Cluster

NODE = shutil.which("node")
NO_NODE = "no node found (apt-get install nodejs): the page's script was NOT run"


@pytest.fixture
def node(tmp_path: Path) -> Callable[[str], str]:
    """Run a module, and return what it prints; skipped aloud without node, and failed in CI."""
    if NODE is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(NO_NODE)
    program: str = NODE

    def run(text: str) -> str:
        file = tmp_path / "run.mjs"
        file.write_text(text, encoding="utf-8")
        done = subprocess.run([program, str(file)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler and two workers of one thread each, as processes."""
    made = Cluster(tmp_path)
    yield made
    made.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it where nobody overlooks it."""
    if NODE is None:
        terminalreporter.write_sep("!", NO_NODE, red=True)
