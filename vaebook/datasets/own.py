"""A reader's own images: from a folder of pictures, or from arrays."""

__all__ = ["folder", "from_arrays"]

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaebook import _checks, _progress
from vaebook.datasets.images import ImageSet

Array = Tensor | NDArray[np.generic]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_FORMATS = ("PNG", "JPEG", "WEBP")


def folder(
    path: str | os.PathLike[str], size: int = 64, channels: int = 3, *, progress: bool = True
) -> ImageSet:
    """Return the pictures of a folder, cut to squares of one size, [N, C, size, size].

    Pictures are the PNG, JPEG and WebP files. Either all lie in the folder itself, and have no
    labels; or each lies in the folder of its class, whose name is then in `names`, in the order
    of the alphabet. They come class by class, each by file name. Links are followed, hidden files
    and folders are passed over, and a warning names any other file.

    A picture is turned as its camera says (EXIF), its transparent parts are laid on white, the
    largest square in its middle is cut out, and that is brought to `size` by cubic
    interpolation. 16-bit greys become 8-bit ones, colour profiles are not applied, and of a moving
    picture the first frame is taken.

    Args:
        path: of the folder; a leading ~ is the home directory.
        size: height and width of the images, in pixels.
        channels: 3 for colour, or 1 for grey (luma, ITU-R BT.601).
        progress: show a bar on standard error, unless `TQDM_DISABLE` is set.

    Returns:
        A set with the folder's name as its title. It takes 4 C size² bytes per image, 49 kB
        at 64 × 64 in colour, and loading it takes no more.

    Raises:
        ValueError: when the path isn't a folder or has no pictures; when pictures lie beside
            class folders, or further down; when pictures can't be read, with the names of all.

    Example:
        >>> from PIL import Image
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as photos:
        ...     for kind in ("cats", "dogs"):
        ...         os.mkdir(f"{photos}/{kind}")
        ...         Image.new("RGB", (640, 480), "red").save(f"{photos}/{kind}/1.jpg")
        ...     images = folder(photos, size=32, progress=False)
        >>> images.names, list(images.images.shape)
        (('cats', 'dogs'), [2, 3, 32, 32])
    """
    images, left_out = read_folder(path, size, channels, progress=progress)
    if left_out:
        warnings.warn(left_out, stacklevel=2)
    return images


def read_folder(
    path: str | os.PathLike[str], size: int, channels: int, *, progress: bool
) -> tuple[ImageSet, str]:
    """Return the pictures of a folder, and in words which files were left out."""
    _checks.count(size, "size")
    if channels not in (1, 3) or isinstance(channels, bool):
        raise ValueError(f"channels must be 1 or 3, got {channels!r}")
    root = _checks.path(path, "path")
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing there"
        raise ValueError(f"path must be a folder of pictures, got {str(path)!r}: {found}")
    files, labels, names, left_out = _pictures(root)
    images = torch.empty(len(files), channels, size, size)
    broken = []
    for i, file in enumerate(_progress.bar(progress, files, unit="picture")):
        try:
            images[i] = _read(file, size, channels)
        except Exception as error:  # whatever a decoder makes of a damaged file
            broken.append(f"{file.relative_to(root)}: {_reason(error)}")
    if broken:
        raise ValueError(
            f"path must hold pictures that can be read, but {len(broken)} of {len(files)} in "
            f"{root} can't be. Delete or replace\n" + "\n".join(broken)
        )
    return ImageSet(images, labels, names=names, title=root.resolve().name), left_out


def _pictures(root: Path) -> tuple[list[Path], Tensor | None, tuple[str, ...], str]:
    """Return the files of a folder, labels and names of class folders, and what is left out."""
    flat, folders, others = _listed(root)
    classes = {}
    for part in folders:
        files, below, more = _listed(part)
        others += more
        for deeper in below:
            for place, hidden, names in os.walk(deeper):
                hidden[:] = [name for name in hidden if not name.startswith(".")]
                if any(is_picture(name) for name in names):
                    raise ValueError(
                        f"path must hold pictures or class folders of pictures, but in "
                        f"{root} there are some further down, in {Path(place).relative_to(root)}"
                    )
        if files:
            classes[part.name] = files
    if flat and classes:
        raise ValueError(
            f"path must hold either pictures or class folders, got both in {root}: "
            f"{flat[0].name} beside {', '.join(classes)}"
        )
    left_out = _listing([str(file.relative_to(root)) for file in others])
    if not flat and not classes:
        raise ValueError(
            f"path must hold PNG, JPEG or WebP pictures, got none in {root}"
            + (f", but {left_out}" if others else "")
        )
    if others:
        left_out = f"not PNG, JPEG or WebP by name, and left out: {left_out}"
    if flat:
        return flat, None, (), left_out
    labels = [k for k, files in enumerate(classes.values()) for _ in files]
    files = [file for part in classes.values() for file in part]
    return files, torch.tensor(labels), tuple(classes), left_out


def _listed(place: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Return the pictures, the folders and the other files of a folder, each by name."""
    shown = [entry for entry in place.iterdir() if not entry.name.startswith(".")]
    shown.sort(key=lambda entry: entry.name)  # paths compare otherwise on Windows
    folders = [entry for entry in shown if entry.is_dir()]
    files = [entry for entry in shown if not entry.is_dir()]
    pictures = [file for file in files if is_picture(file.name)]
    return pictures, folders, [file for file in files if not is_picture(file.name)]


def is_picture(name: str) -> bool:
    """Tell a picture by the name of its file, hidden ones apart."""
    return name.lower().endswith(_SUFFIXES) and not name.startswith(".")


def _listing(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def _read(file: Path, size: int, channels: int) -> Tensor:
    """Return a picture as an image [C, size, size] in [0, 1]."""
    from PIL import Image, ImageOps

    with Image.open(file, formats=_FORMATS) as opened:
        # A photograph is decoded at a fraction of its size, in a fifth of the time.
        opened.draft(None, (3 * size, 3 * size))
        picture = ImageOps.exif_transpose(opened)
        if picture.mode.startswith("I"):
            deep = np.asarray(picture, np.float64) / 257
            picture = Image.fromarray(deep.round().clip(0, 255).astype(np.uint8))
        elif picture.has_transparency_data:
            picture = picture.convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture)
        picture = picture.convert("RGB" if channels == 3 else "L")
        square = ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(square).reshape(size, size, channels))
    return pixels.permute(2, 0, 1) / 255


def _reason(error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "no PNG, JPEG or WebP, whatever its name says"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def from_arrays(
    images: Array,
    labels: Array | None = None,
    factors: Mapping[str, Array] | None = None,
    *,
    names: Sequence[str] = (),
    in_unit_range: bool = True,
) -> ImageSet:
    """Return images that are arrays or tensors already as a set, [N, C, H, W] in float32.

    Args:
        images: [N, H, W], [N, H, W, C] or [N, C, H, W] with C of 1 or 3, on any device. Those of
            uint8 are divided by 255, bools become 0 and 1, floats must be in [0, 1] as they are.
        labels: class of each image from 0 up, integers [N].
        factors: generating factors by name, each [N].
        names: name of each class, in the order of the labels.
        in_unit_range: False for standardised pixels, which go with a Gaussian likelihood.

    Raises:
        ValueError: when a shape can be read in two ways or in none, uint8 images hold nothing
            above 1, or :class:`ImageSet` refuses a value.

    Example:
        >>> photos = np.full((5, 48, 64, 3), 255, np.uint8)
        >>> images = from_arrays(photos, np.array([0, 1, 0, 1, 1]))
        >>> list(images.images.shape), images.images.max().item()
        ([5, 3, 48, 64], 1.0)
        >>> from_arrays(photos[0])
        Traceback (most recent call last):
        ...
        ValueError: images of shape [48, 64, 3] may be one in colour or 48 in grey: write \
images[None] for one, images[..., None] for 48
    """
    stack = _channels_second(_tensor(images, "images"))
    if stack.dtype == torch.uint8:
        # As sets of black and white shapes are kept; over 255 they would be all but black.
        if stack.numel() and stack.max() == 1:
            raise ValueError(
                "images must be bool or float where their largest value is 1, got uint8, "
                "which is divided by 255"
            )
        stack = stack.to(torch.float32).div_(255)
    elif stack.dtype == torch.bool or stack.is_floating_point():
        stack = stack.to(torch.float32)
    else:
        raise ValueError(
            f"images must be uint8, bool or floats, got {str(stack.dtype).removeprefix('torch.')}"
        )
    if labels is not None:
        labels = _tensor(labels, "labels")
        if not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool):
            labels = labels.long()
    factors = {} if factors is None else factors
    _checks.instance(factors, "factors", Mapping)
    if not isinstance(names, Sequence) or isinstance(names, str):
        raise ValueError(f"names must be a sequence of texts, got {names!r}")
    columns = {key: _tensor(column, f"factors[{key!r}]") for key, column in factors.items()}
    return ImageSet(stack.contiguous(), labels, columns, tuple(names), in_unit_range=in_unit_range)


def _tensor(value: object, name: str) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach()
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{name} must be an array or a tensor, got {type(value).__name__}")
    if np.ma.is_masked(value):
        raise ValueError(f"{name} must be without masked values: fill them with .filled(...)")
    try:
        # Neither another byte order, nor a negative stride, nor what is read-only is torch's.
        array = np.ascontiguousarray(value, value.dtype.newbyteorder("="))
        return torch.from_numpy(array if array.flags.writeable else array.copy())
    except TypeError:
        raise ValueError(f"{name} must be an array of numbers, got {value.dtype}") from None


def _channels_second(stack: Tensor) -> Tensor:
    """Return images [N, H, W], [N, H, W, C] or [N, C, H, W] as [N, C, H, W]."""
    shape = list(stack.shape)
    if len(shape) == 3:
        n = shape[0]
        if shape[2] in (1, 3) or n == 3:
            raise ValueError(
                f"images of shape {shape} may be one in colour or {n} in grey: write "
                f"images[None] for one, images[..., None] for {n}"
            )
        return stack[:, None]
    second, last = (len(shape) == 4 and shape[axis] in (1, 3) for axis in (1, 3))
    if second and last:
        raise ValueError(
            f"images of shape {shape} may have their channels second or last: give ImageSet "
            "float32 images [N, C, H, W], where they are second"
        )
    if not second and not last:
        raise ValueError(
            f"images must be [N, H, W], [N, H, W, C] or [N, C, H, W] with C of 1 or 3, got {shape}"
        )
    return stack if second else stack.permute(0, 3, 1, 2)
