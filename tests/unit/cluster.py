"""A real Dask cluster of two processes on this machine."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import vaebook


def copied_package(folder: Path) -> Path:
    """Return a folder with a copy of the package, for a worker that finds it first."""
    leave = shutil.ignore_patterns("weights", "*.jsonl", "__pycache__")
    shutil.copytree(Path(vaebook.__file__).parent, folder / "elsewhere" / "vaebook", ignore=leave)
    return folder / "elsewhere"


class Cluster:
    """A real scheduler and two real workers on this machine."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "scheduler.json"
        self.folder = folder
        self.scheduler = self.start("scheduler", "--no-dashboard", "--port", "0")
        self.wait(self.written)
        self.address = f"tcp://127.0.0.1:{self.port()}"
        self.workers = [self.worker() for _ in range(2)]
        self.wait_for_workers()

    def start(self, *arguments: str, first: str = "") -> subprocess.Popen[bytes]:
        """Start a process that has what this one has, beside what is found first."""
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, [first, *sys.path]))
        }
        code = "import sys; from dask.__main__ import main; main()"
        command = [sys.executable, "-c", code, *arguments, "--scheduler-file", str(self.file)]
        silent = subprocess.DEVNULL
        return subprocess.Popen(
            command, cwd=self.folder, env=environment, stdout=silent, stderr=silent
        )

    def worker(self, first: str = "") -> subprocess.Popen[bytes]:
        return self.start("worker", "--no-nanny", "--nthreads", "1", first=first)

    def written(self) -> bool:
        """Tell whether the scheduler has said where it is; its file is there before its text."""
        return self.file.exists() and self.file.read_text().rstrip().endswith("}")

    def port(self) -> str:
        address: str = json.loads(self.file.read_text())["address"]
        return address.rpartition(":")[2]

    def wait_for_workers(self, n: int = 2) -> None:
        from distributed import Client

        # One client that is patient: one that gives up is collected while the next one starts, and
        # then both wait for each other's lock.
        with Client(self.address, timeout="60s", set_as_default=False) as client:
            client.wait_for_workers(n, timeout=60)

    @staticmethod
    def wait(ready: Callable[[], bool], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < end
            time.sleep(0.1)

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
