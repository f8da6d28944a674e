"""The ground floor: files that are whole whenever they are there, and lines added to one."""

__all__ = ["append", "write"]

import os
import secrets
from contextlib import suppress
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
