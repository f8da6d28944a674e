"""The ground floor: files that are whole whenever they are there."""

__all__ = ["write"]

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
