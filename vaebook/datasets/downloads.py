"""MNIST and Fashion-MNIST: from a folder, the cache or a download; handwritten digits anyhow."""

__all__ = ["DatasetUnavailable", "fashion_mnist", "handwritten", "mnist"]

import gzip
import hashlib
import io
import os
import secrets
import time
import zlib
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Thread
from types import ModuleType
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import torch

from vaebook.datasets.digits import digits
from vaebook.datasets.images import ImageSet


class DatasetUnavailable(RuntimeError):
    """A data set is neither on this machine nor downloadable from here."""


def mnist(train: bool = True) -> ImageSet:
    """Return MNIST's 60,000 training or 10,000 test digits, [N, 1, 28, 28].

    Each file is looked for in the folder that `VAEBOOK_DATA` names (in `MNIST/raw` below it, or
    in itself where it is one of the two; unpacked or as .gz), then in the cache
    `~/.cache/vaebook`, then downloaded into that cache from torchvision's mirrors, unless
    `VAEBOOK_OFFLINE` is set. Only the half that is asked for is needed.

    Raises:
        DatasetUnavailable: when none of the three has it, or a folder can't be read.
        ValueError: when a file is truncated or altered.

    Example:
        >>> mnist(train=False)  # doctest: +SKIP
        ImageSet(title='MNIST', images=[10000, 1, 28, 28], labels=[10000])
    """
    return _load("MNIST", "MNIST", _DIGITS, train, seconds=300)


def fashion_mnist(train: bool = True) -> ImageSet:
    """Return Fashion-MNIST's 60,000 training or 10,000 test pictures of clothes, [N, 1, 28, 28].

    Looked for as :func:`mnist` does, in `FashionMNIST/raw`.

    Raises:
        DatasetUnavailable: when it is neither here nor downloadable.
        ValueError: when a file is truncated or altered.

    Example:
        >>> fashion_mnist(train=False)  # doctest: +SKIP
        ImageSet(title='Fashion-MNIST', images=[10000, 1, 28, 28], labels=[10000])
    """
    return _load("FashionMNIST", "Fashion-MNIST", _CLOTHES, train, seconds=300)


def handwritten(train: bool = False) -> ImageSet:
    """Return MNIST's digits where they can be had within a minute, else UCI's in their frame.

    MNIST is looked for as :func:`mnist` does. The title says which set it is. Of the UCI digits
    four fifths are for training and a fifth is for testing.

    Raises:
        ValueError: when a file of MNIST is truncated or altered.

    Example:
        >>> handwritten().title in ("MNIST", "UCI digits")
        True
    """
    try:
        return _load("MNIST", "MNIST", _DIGITS, train, seconds=60)
    except DatasetUnavailable:
        larger, smaller = digits().split(0.8, seed=0)
        return larger if train else smaller


_DIGITS = tuple("0123456789")
_CLOTHES = (
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

# MD5 of the unpacked files as published.
_MD5 = {
    "MNIST": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "FashionMNIST": {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
}

_LARGEST = 1 << 26  # bytes; the largest file has 47,040,016
_SILENCE = 10.0  # seconds without a byte after which a server is given up


def _load(kind: str, title: str, names: tuple[str, ...], train: bool, seconds: float) -> ImageSet:
    """Return half a set, found or else downloaded in so many seconds."""
    if not isinstance(train, bool):
        raise ValueError(f"train must be True or False, got {train!r}")
    half = "train" if train else "t10k"
    found = {name: _find(kind, name) for name in _MD5[kind] if name.startswith(half)}
    files = {name: content for name, content in found.items() if content is not None}
    missing = [name for name in found if name not in files]
    if missing:
        try:
            files |= _download(kind, missing, time.monotonic() + seconds)
        except (ImportError, OSError, RuntimeError) as error:
            places = " nor ".join(str(folder) for folder in (_named(), _cache()) if folder)
            raise DatasetUnavailable(
                f"{title} ({', '.join(missing)}) is not in {places}, and its download failed: "
                f"{error}. Either connect to the internet and call again, or set VAEBOOK_DATA to "
                f"a folder that holds {kind}/raw with the IDX files, unpacked or as .gz."
            ) from error
    # The checksums vouch for the headers of 16 and 8 bytes.
    pixels = np.frombuffer(files[f"{half}-images-idx3-ubyte"], np.uint8, offset=16)
    labels = np.frombuffer(files[f"{half}-labels-idx1-ubyte"], np.uint8, offset=8)
    return ImageSet(
        torch.tensor(pixels, dtype=torch.float32).div_(255).reshape(-1, 1, 28, 28),
        torch.tensor(labels, dtype=torch.int64),
        names=names,
        title=title,
    )


# ---------------------------------------------------------------------------------------------
# What is on this machine


def _named() -> Path | None:
    named = os.environ.get("VAEBOOK_DATA")
    return Path(named).expanduser() if named else None


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vaebook"


def _find(kind: str, name: str) -> bytes | None:
    """Return the content of the first file of that name, unpacked, or None where there is none."""
    folders = [_cache() / kind / "raw"]
    if named := _named():
        folders[:0] = [named / kind / "raw", named / kind, named / "raw", named]
    others = {sums[name] for other, sums in _MD5.items() if other != kind}
    for path in (folder / file for folder in folders for file in (name, f"{name}.gz")):
        content = _content(path)
        found = None if content is None else hashlib.md5(content).hexdigest()
        if found == _MD5[kind][name]:
            return content
        # Both sets have files of these names: a folder may hold the other one's.
        if found is not None and found not in others:
            raise _damaged(path, f"expected MD5 {_MD5[kind][name]}, found {found}")
    return None


def _content(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DatasetUnavailable(
            f"{path} can't be read: {error.strerror}. Make it a readable file, or set "
            f"VAEBOOK_DATA to another folder."
        ) from error
    if path.suffix != ".gz":
        return content
    try:
        return _unpack(content)
    except (EOFError, OSError, zlib.error) as error:
        raise _damaged(path, str(error)) from error


def _unpack(packed: bytes) -> bytes:
    return gzip.GzipFile(fileobj=io.BytesIO(packed)).read(_LARGEST)


def _damaged(path: Path, reason: str) -> ValueError:
    return ValueError(
        f"{path} is truncated or altered: {reason}. Delete it, so that the next call takes "
        f"another copy or downloads one."
    )


# ---------------------------------------------------------------------------------------------
# What is not


def _download(kind: str, names: list[str], deadline: float) -> dict[str, bytes]:
    """Fetch files into the cache, each whole and checked or not at all, and return them."""
    if os.environ.get("VAEBOOK_OFFLINE"):
        raise OSError("VAEBOOK_OFFLINE is set")
    published = getattr(_import_torchvision_datasets(), kind)
    checksums = dict(published.resources)
    folder = _cache() / kind / "raw"
    contents = {}
    for name in names:
        packed = f"{name}.gz"
        content = _unpack(_fetch(published.mirrors, packed, checksums[packed], deadline))
        found = hashlib.md5(content).hexdigest()
        if found != _MD5[kind][name]:
            raise OSError(f"{packed} holds another file than published, of MD5 {found}")
        _keep(folder / name, content)
        contents[name] = content
    return contents


def _fetch(mirrors: list[str], name: str, md5: str, deadline: float) -> bytes:
    """Return a file from the first mirror that has it as published."""
    faults = []
    for mirror in mirrors:
        try:
            content = _get(f"{mirror}{name}", deadline)
        except (HTTPException, OSError, ValueError) as error:
            faults.append(f"{mirror}{name}: {error or type(error).__name__}")
            continue
        found = hashlib.md5(content).hexdigest()
        if found == md5:
            return content
        faults.append(f"{mirror}{name}: {len(content)} bytes of MD5 {found} instead of {md5}")
    raise OSError("; ".join(faults))


def _get(url: str, deadline: float) -> bytes:
    """Return what lies at an address, or give up on a server that is silent or too slow.

    Another thread talks to the server, because name look-ups, handshakes and headers that drip
    have no time limit in Python.
    """
    parts: Queue[bytes | Exception] = Queue(maxsize=8)
    Thread(target=_pour, args=(url, parts), daemon=True).start()
    content = bytearray()
    while len(content) < _LARGEST:
        left = deadline - time.monotonic()
        try:
            part = parts.get(timeout=max(0, min(left, _SILENCE)))
        except Empty:
            late = f"not done in time, {len(content)} bytes had come"
            silent = f"silent for {_SILENCE:g} s"
            raise TimeoutError(silent if left > _SILENCE else late) from None
        if isinstance(part, Exception):
            raise part
        if not part:
            return bytes(content)
        content += part
    raise OSError(f"sent more than {_LARGEST} bytes")


def _pour(url: str, parts: "Queue[bytes | Exception]") -> None:
    """Put what comes from an address into a queue, at its end b"" or what went wrong."""
    with suppress(Full):  # when nobody listens any more
        try:
            with urlopen(url, timeout=_SILENCE) as response:
                while part := response.read1(1 << 16):
                    parts.put(part, timeout=_SILENCE)
            parts.put(b"", timeout=_SILENCE)
        except (HTTPException, OSError, ValueError) as error:
            if isinstance(error, HTTPError):
                error.close()  # it is the answer too
            parts.put(error, timeout=_SILENCE)


def _keep(path: Path, content: bytes) -> None:
    """Write a file that is whole whenever it is there, whoever else writes it."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _import_torchvision_datasets() -> ModuleType:
    """Import torchvision where torch is a CPU build.

    The registry's Linux wheel of torchvision carries operators built for CUDA. With a CPU build
    of torch they can't be loaded and the import fails where it registers their meta kernels.
    Declaring the operators makes the import work; nothing of the book calls them.
    """
    if torch.version.cuda is None:
        try:
            for name in ("nms", "qnms"):
                torch.library.define(
                    f"torchvision::{name}",
                    "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
                )
        except RuntimeError:
            pass  # declared already: by torchvision itself, or by an earlier call
    from torchvision import datasets

    return datasets
