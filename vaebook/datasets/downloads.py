"""MNIST and Fashion-MNIST: from a folder, the cache or a download; handwritten digits anyhow."""

__all__ = ["DatasetUnavailable", "fashion_mnist", "fetch", "handwritten", "mnist"]

import gzip
import hashlib
import io
import os
import time
import zlib
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Thread
from types import ModuleType
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import torch

from vaebook import _checks, _files, _progress
from vaebook.datasets.digits import digits
from vaebook.datasets.images import ImageSet


class DatasetUnavailable(RuntimeError):
    """A data set is neither on this machine nor downloadable from here."""


def mnist(train: bool = True) -> ImageSet:
    """Return MNIST's 60,000 training or 10,000 test digits, [N, 1, 28, 28].

    Each file is looked for in the folder that `VAEBOOK_DATA` names (in `MNIST/raw` below it, or
    in the folder itself where it holds one of the two sets; unpacked or as .gz), then in the cache
    `~/.cache/vaebook`, then downloaded into that cache from torchvision's mirrors, unless
    `VAEBOOK_OFFLINE` is set, and not to 0. Only the half that is asked for is needed.

    Args:
        train: whether the training digits are wanted, or those for testing.

    Raises:
        DatasetUnavailable: when none of the three has it, or a folder can't be read.
        ValueError: when a file is truncated or altered.

    Example:
        >>> mnist(train=False)  # doctest: +SKIP
        ImageSet(title='MNIST', images=[10000, 1, 28, 28], labels=[10000])
    """
    return _load("MNIST", train, seconds=300)


def fashion_mnist(train: bool = True) -> ImageSet:
    """Return Fashion-MNIST's 60,000 training or 10,000 test pictures of clothes, [N, 1, 28, 28].

    Looked for as :func:`mnist` does, in `FashionMNIST/raw`.

    Args:
        train: whether the training pictures are wanted, or those for testing.

    Raises:
        DatasetUnavailable: when it is neither here nor downloadable.
        ValueError: when a file is truncated or altered.

    Example:
        >>> fashion_mnist(train=False)  # doctest: +SKIP
        ImageSet(title='Fashion-MNIST', images=[10000, 1, 28, 28], labels=[10000])
    """
    return _load("Fashion-MNIST", train, seconds=300)


def handwritten(train: bool = False) -> ImageSet:
    """Return MNIST's digits where they can be had within a minute, else UCI's in their frame.

    MNIST is looked for as :func:`mnist` does. The title says which set it is, "MNIST" or "UCI
    digits". Of the UCI digits four fifths are for training and a fifth is for testing.

    Args:
        train: whether the training digits are wanted; here, as one looks at pictures mostly, those
            for testing come if nothing is said.

    Raises:
        ValueError: when a file of MNIST is truncated or altered.

    Example:
        >>> handwritten().title in ("MNIST", "UCI digits")
        True
    """
    try:
        return _load("MNIST", train, seconds=60)
    except DatasetUnavailable:
        larger, smaller = digits().split(0.8, seed=0)
        return larger if train else smaller


def fetch(
    title: str, *, offline: bool = False, seconds: float = 600.0, progress: bool = True
) -> list[Path]:
    """Fetch both halves of a set unless they are here, and return where its files are.

    They are looked for as :func:`mnist` does, and what is missing is downloaded into the cache,
    one file after the other: what has come whole stays, so that the next call goes on from there.

    Args:
        title: "MNIST" or "Fashion-MNIST".
        offline: only look.
        seconds: after which a download is given up; a server that says nothing is left after
            ten.
        progress: whether to show a bar for each file.

    Raises:
        DatasetUnavailable: when some of it is neither here nor downloadable.
        ValueError: when a file is truncated or altered, or `title` or `seconds` can't be.

    Example:
        >>> [path.name for path in fetch("MNIST")]  # doctest: +SKIP
        ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte', 't10k-images-idx3-ubyte', \
't10k-labels-idx1-ubyte']
    """
    if not isinstance(title, str) or title not in _FOLDERS:
        raise ValueError(f"title must be one of {list(_FOLDERS)}, got {title!r}")
    _checks.number(seconds, "seconds", 0, open=True)
    files = _gather(title, list(_MD5[_FOLDERS[title]]), seconds, offline, progress)
    return [path for path, _ in files.values()]


_FOLDERS = {"MNIST": "MNIST", "Fashion-MNIST": "FashionMNIST"}
_NAMES = {
    "MNIST": tuple("0123456789"),
    "Fashion-MNIST": (
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
    ),
}

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


def _load(title: str, train: bool, seconds: float) -> ImageSet:
    """Return half a set, found or else downloaded in so many seconds."""
    if not isinstance(train, bool):
        raise ValueError(f"train must be True or False, got {train!r}")
    half = "train" if train else "t10k"
    files = _gather(title, [f"{half}-images-idx3-ubyte", f"{half}-labels-idx1-ubyte"], seconds)
    # The checksums vouch for the headers of 16 and 8 bytes.
    pixels, labels = (
        np.frombuffer(content, np.uint8, offset=offset)
        for (_, content), offset in zip(files.values(), (16, 8), strict=True)
    )
    return ImageSet(
        torch.tensor(pixels, dtype=torch.float32).div_(255).reshape(-1, 1, 28, 28),
        torch.tensor(labels, dtype=torch.int64),
        names=_NAMES[title],
        title=title,
    )


def _gather(
    title: str, names: list[str], seconds: float, offline: bool = False, progress: bool = False
) -> dict[str, tuple[Path, bytes]]:
    """Return path and unpacked content of files, found or else downloaded in so many seconds."""
    deadline = time.monotonic() + seconds
    kind = _FOLDERS[title]
    found = {name: _find(kind, name) for name in names}
    files = {name: file for name, file in found.items() if file is not None}
    try:
        for name in (name for name in names if name not in files):
            if offline or os.environ.get("VAEBOOK_OFFLINE", "0") not in ("", "0"):
                why = "offline was asked for" if offline else "VAEBOOK_OFFLINE is set"
                raise OSError(f"not tried, as {why}")
            files[name] = _download(kind, name, deadline, progress)
    except (ImportError, OSError, RuntimeError) as error:
        missing = [name for name in names if name not in files]
        places = " nor ".join(str(folder) for folder in (_named(), _cache()) if folder)
        raise DatasetUnavailable(
            f"{title} ({', '.join(missing)}) is not in {places}, and its download failed: "
            f"{error}. Either connect to the internet and call again, or set VAEBOOK_DATA to "
            f"a folder that holds {kind}/raw with the IDX files, unpacked or as .gz."
        ) from error
    return {name: files[name] for name in names}


# ---------------------------------------------------------------------------------------------
# What is on this machine


def _named() -> Path | None:
    named = os.environ.get("VAEBOOK_DATA")
    return Path(os.path.expanduser(named)) if named else None


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vaebook"


def _find(kind: str, name: str) -> tuple[Path, bytes] | None:
    """Return the first file of that name and its unpacked content, or None where there is none."""
    folders = [_cache() / kind / "raw"]
    if named := _named():
        folders[:0] = [named / kind / "raw", named / kind, named / "raw", named]
    others = {sums[name] for other, sums in _MD5.items() if other != kind}
    for path in (folder / file for folder in folders for file in (name, f"{name}.gz")):
        content = _content(path)
        if content is None:
            continue
        found = hashlib.md5(content).hexdigest()
        if found == _MD5[kind][name]:
            return path, content
        # Both sets have files of these names: a folder may hold the other one's.
        if found not in others:
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


def _download(kind: str, name: str, deadline: float, progress: bool) -> tuple[Path, bytes]:
    """Fetch a file into the cache, whole and checked or not at all, and return it."""
    published = getattr(_import_torchvision_datasets(), kind)
    packed = f"{name}.gz"
    md5 = dict(published.resources)[packed]
    content = _unpack(_fetch(published.mirrors, packed, md5, deadline, progress))
    found = hashlib.md5(content).hexdigest()
    if found != _MD5[kind][name]:
        raise OSError(f"{packed} holds another file than published, of MD5 {found}")
    path = _cache() / kind / "raw" / name
    _files.write(path, content)
    return path, content


def _fetch(mirrors: list[str], name: str, md5: str, deadline: float, progress: bool) -> bytes:
    """Return a file from the first mirror that has it as published."""
    faults = []
    for mirror in mirrors:
        try:
            content = _get(f"{mirror}{name}", deadline, progress)
        except (HTTPException, OSError, ValueError) as error:
            faults.append(f"{mirror}{name}: {error or type(error).__name__}")
            continue
        found = hashlib.md5(content).hexdigest()
        if found == md5:
            return content
        faults.append(f"{mirror}{name}: {len(content)} bytes of MD5 {found} instead of {md5}")
    raise OSError("; ".join(faults))


def _get(url: str, deadline: float, progress: bool) -> bytes:
    """Return what lies at an address, or give up on a server that is silent or too slow.

    Another thread talks to the server, because name look-ups, handshakes and headers that drip
    have no time limit in Python.
    """
    parts: Queue[Any] = Queue(maxsize=8)
    Thread(target=_pour, args=(url, parts), daemon=True).start()
    content = bytearray()

    def take() -> Any:
        left = deadline - time.monotonic()
        try:
            part = parts.get(timeout=max(0, min(left, _SILENCE)))
        except Empty:
            late = f"not done in time, {len(content)} bytes had come"
            silent = f"silent for {_SILENCE:g} s"
            raise TimeoutError(silent if left > _SILENCE else late) from None
        if isinstance(part, Exception):
            raise part
        return part

    total, name = take(), url.rsplit("/", 1)[1]
    with _progress.bar(progress, desc=name, total=total, unit="B", unit_scale=True) as bar:
        while part := take():
            content += part
            bar.update(len(part))
            if len(content) > _LARGEST:
                raise OSError(f"sent more than {_LARGEST} bytes")
    return bytes(content)


def _pour(url: str, parts: "Queue[Any]") -> None:
    """Put into a queue how long an answer will be, its parts, then b"", or what went wrong."""
    with suppress(Full):  # when nobody listens any more
        try:
            with urlopen(url, timeout=_SILENCE) as response:
                parts.put(response.length, timeout=_SILENCE)  # None where it doesn't say
                while part := response.read1(1 << 16):
                    parts.put(part, timeout=_SILENCE)
            parts.put(b"", timeout=_SILENCE)
        except (HTTPException, OSError, ValueError) as error:
            if isinstance(error, HTTPError):
                error.close()  # it is the answer too
            parts.put(error, timeout=_SILENCE)


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
