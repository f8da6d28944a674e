"""Which engine for containers there is, said where nobody overlooks it when there is none."""

import shutil
import subprocess

import pytest


def _engine() -> str:
    """The engine that answers, or nothing."""
    for name in ("podman", "docker"):
        if (path := shutil.which(name)) is None:
            continue
        try:
            if not subprocess.run([path, "info"], capture_output=True, timeout=20).returncode:
                return path
        except subprocess.TimeoutExpired:
            pass
    return ""


NO_ENGINE = "no Podman and no Docker answers: the grader's container was NOT tried"
_missed: list[str] = []


@pytest.fixture(scope="session")
def engine() -> str:
    """Podman or Docker; without either the tests are skipped aloud."""
    if not (found := _engine()):
        _missed.append(NO_ENGINE)
        pytest.skip(NO_ENGINE)
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it at the end, in red; a worker of xdist tells of its skips in its reports."""
    skipped = terminalreporter.stats.get("skipped", [])
    if _missed or any(NO_ENGINE in str(report.longrepr) for report in skipped):
        terminalreporter.write_sep("!", NO_ENGINE, red=True)
