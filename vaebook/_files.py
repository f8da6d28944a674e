"""The ground floor: files that are whole whenever they are there, grow by lines, or are locked."""

__all__ = ["append", "lock", "write"]

import hashlib
import os
import secrets
import tempfile
from contextlib import AbstractContextManager, suppress
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all, whoever else writes it at the same time.

    Its folder is made if need be.

    Raises:
        OSError: when it can't be written, with the path; nothing is left behind.

    Example:
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp()) / "new" / "file"
        >>> write(path, b"whole")
        >>> path.read_bytes()
        b'whole'
    """
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        # A full disk doesn't say which file it had no room for.
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def append(path: Path, line: str) -> None:
    """Add a line to a file, on its own even after one that a kill or a full disk has cut.

    Raises:
        OSError: when it can't be written, with the path.

    Example:
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp()) / "lines"
        >>> append(path, "one"), append(path, "two")
        (None, None)
        >>> path.read_text().split()
        ['one', 'two']
    """
    try:
        with open(path, "ab") as file:
            file.write(f"\n{line}".encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def lock(path: Path, timeout: float = -1) -> AbstractContextManager[object]:
    """Return a lock on a path, which may name nothing, among the processes of this machine.

    It lies in the folder of temporary files, and the system opens it when its holder dies.

    Args:
        path: what is locked.
        timeout: seconds to wait for another holder; forever where negative.

    Raises:
        filelock.Timeout: on entering, when another process held it all that time.

    Example:
        >>> with lock(Path("some.table")):
        ...     pass
    """
    from filelock import FileLock

    # Another user's file couldn't be opened.
    owner = os.getuid() if hasattr(os, "getuid") else "all"
    folder = Path(tempfile.gettempdir(), f"vaebook-{owner}")
    folder.mkdir(exist_ok=True)
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    return FileLock(folder / f"{name}.lock", timeout=timeout)
