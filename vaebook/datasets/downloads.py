"""MNIST and Fashion-MNIST: from a folder, the cache, or a download."""

__all__ = ["DatasetUnavailable", "fashion_mnist", "mnist"]

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import torch

from vaebook.datasets.images import ImageSet


class DatasetUnavailable(RuntimeError):
    """A data set is neither on this machine nor downloadable from here."""


def mnist(train: bool = True) -> ImageSet:
    """Return MNIST's 60,000 training or 10,000 test digits.

    Looked for in the folder that `VAEBOOK_DATA` names, then in the cache `~/.cache/vaebook`,
    then downloaded into that cache by torchvision.

    Raises:
        DatasetUnavailable: when none of the three has it.
        ValueError: when a file is truncated or altered.
    """
    return _torchvision_set("MNIST", train, _DIGITS, "MNIST")


def fashion_mnist(train: bool = True) -> ImageSet:
    """Return Fashion-MNIST's 60,000 training or 10,000 test pictures of clothes.

    Looked for as :func:`mnist` does.

    Raises:
        DatasetUnavailable: when it is neither here nor downloadable.
        ValueError: when a file is truncated or altered.
    """
    return _torchvision_set("FashionMNIST", train, _CLOTHES, "Fashion-MNIST")


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


_DIGITS = tuple("0123456789")


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


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vaebook"


def _torchvision_set(kind: str, train: bool, names: tuple[str, ...], title: str) -> ImageSet:
    roots = [Path(os.environ["VAEBOOK_DATA"])] if os.environ.get("VAEBOOK_DATA") else []
    roots.append(_cache())
    prefix = "train" if train else "t10k"
    checksums = {name: md5 for name, md5 in _MD5[kind].items() if name.startswith(prefix)}
    # A download that failed leaves an empty folder behind: only a file counts.
    found = (r for r in roots if any((r / kind / "raw" / name).is_file() for name in checksums))
    root = next(found, None)
    dataset_class = getattr(_import_torchvision_datasets(), kind)
    if root is None:
        root = _cache()
        try:
            dataset_class(str(root), train=train, download=True)
        except (OSError, RuntimeError) as error:
            reason = str(error).splitlines()[0].rstrip(":")
            raise DatasetUnavailable(
                f"{title} is in none of {', '.join(str(r) for r in roots)} and its download "
                f"failed ({reason}). Either connect to the internet and call again, or set "
                f"VAEBOOK_DATA to a folder that holds {kind}/raw with the four unpacked IDX files."
            ) from error
    _verify(root / kind / "raw", checksums)
    dataset = dataset_class(str(root), train=train, download=False)
    return ImageSet(
        dataset.data[:, None].to(torch.float32).div_(255),
        dataset.targets,
        names=names,
        title=title,
    )


def _verify(folder: Path, checksums: Mapping[str, str]) -> None:
    for name, expected in checksums.items():
        path = folder / name
        if not path.is_file():
            raise DatasetUnavailable(
                f"{path} is missing. Put the unpacked file there, or delete {folder} so that "
                f"the next call downloads the set."
            )
        found = hashlib.md5(path.read_bytes()).hexdigest()
        if found != expected:
            raise ValueError(
                f"{path} is truncated or altered: expected MD5 {expected}, found {found}. "
                f"Delete {folder} so that the next call downloads the set."
            )


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
