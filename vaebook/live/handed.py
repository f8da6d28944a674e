"""A small VAE for the pictures that a reader hands over."""

__all__ = ["train_on_own"]

import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from vaebook import _checks
from vaebook.datasets import ImageSet
from vaebook.datasets.own import is_picture, read_folder
from vaebook.figures.numbers import number
from vaebook.live import pictures, widgets
from vaebook.live.figures import latent_map
from vaebook.live.kernel import WithKernel
from vaebook.live.retraining import _seeded, _train
from vaebook.models import VAE, Bernoulli, OptimalGaussian
from vaebook.models.networks import for_images

_LEAST = 32  # pictures
_UNPACKED = 2**30  # bytes of all files together
_ENTRIES = 10_000
# Damaged zips, names that no file can have, and ways of packing that Python hasn't.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError)


def train_on_own(example: ImageSet, *, alt: str) -> WithKernel:
    """Train a VAE with two latents on pictures that the reader hands over.

    The reader hands over one zip of a folder as :func:`vaebook.datasets.folder` reads it, a zip
    for each class, or some picture files; without any, the pictures are those of the example. A
    tenth is set aside: after the training, their reconstructions stand below the map of all codes,
    in which the decoder is live.

    Args:
        example: 32 images or more, in [0, 1], on which the first run is trained at once.
        alt: what is to be seen, for those who cannot see it.

    Raises:
        ValueError: for fewer images.

    Example:
        >>> images = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> list(train_on_own(ImageSet(images), alt="My own.").pictures)
        ['codes', 'pictures that were set aside, and below them their reconstructions']
    """
    _checks.instance(example, "example", ImageSet)
    if len(example) < _LEAST or not example.in_unit_range:
        raise ValueError(f"example must be {_LEAST} images or more in [0, 1], got {example}")
    choices = {
        "side": ("pixels a side", [16, 24, 32, 48, 64], 24),
        "colour": ("read as", [("grey", 1), ("colour", 3)], 3),
        "noise": ("likelihood", ["Bernoulli", "optimal Gaussian"], "Bernoulli"),
        "epochs": ("epochs", [12, 24, 48, 96], 12),
        "seed": ("seed", list(range(10)), 0),
    }
    own = _Own(example, alt)
    first = widgets.beginning(choices)
    own.run(_make(example.images.shape[1:], first), example, first)
    return WithKernel(own.pictures, alt, partial(_own_widgets, own, choices))


class _Own:
    """A map of pictures and some reconstructions, of the pictures that were trained on last."""

    def __init__(self, example: ImageSet, alt: str) -> None:
        self.example, self.alt = example, alt

    def run(
        self,
        model: VAE,
        images: ImageSet,
        settings: Mapping[str, Any],
        say: widgets.Say = lambda _: None,
    ) -> str:
        """Train, say how far it is, and return what came of it."""
        epochs, seed = settings["epochs"], settings["seed"]
        train, aside = images.split(0.9, seed=0)

        def follow(epoch: int) -> None:
            say(f"epoch {epoch} of {epochs}")

        model.to(images.images.device)
        history = _train(model, train, aside, epochs=epochs, seed=seed, follow=follow)
        mu, labels, names = model.codes(images).mu, images.labels, images.names
        self.map = latent_map(model, mu, labels, names=names, alt=self.alt)
        labels = None if labels is None else labels.cpu()
        some = aside.images[:8]
        with torch.no_grad():
            again = model.decode(model.codes(some).mu)
        self.pictures = {
            "codes": pictures.whole_cloud(mu.cpu(), labels, names),
            "pictures that were set aside, and below them their reconstructions": (
                pictures.pairs(some, again)
            ),
        }
        kinds = f" of {len(names)} class{'es' * (len(names) > 1)}" if names else ""
        loss = min(history.epochs["validation_loss"])
        told = f"loss of those set aside {number(loss, 0)} nats per picture"
        return f"{len(images)} pictures{kinds}; {told}"


def _make(shape: Sequence[int], settings: Mapping[str, Any]) -> VAE:
    """A model of pictures of a shape that is to be trained, from the seed."""
    bernoulli = settings["noise"] == "Bernoulli"
    with _seeded(settings["seed"]):
        networks = for_images((shape[0], shape[1], shape[2]), 2)
    return VAE(*networks, 2, Bernoulli() if bernoulli else OptimalGaussian())


def _own_widgets(own: _Own, choices: widgets.Choices) -> Any:
    import ipywidgets

    own = copy(own)  # the figure keeps its first run
    kinds = ".zip,.png,.jpg,.jpeg,.webp"
    words = "a zip or pictures, at most 10 MB"
    handed = ipywidgets.FileUpload(accept=kinds, multiple=True, description=words)
    handed.layout.width = "auto"
    dials = widgets.dials(choices)
    said = ipywidgets.Label()
    pairs = ipywidgets.HTML()
    shown = ipywidgets.VBox()

    def show() -> None:
        _, (words, url) = own.pictures.items()
        pairs.value = widgets.picture(url, words)
        shown.children = [own.map.widget(), pairs]

    def prepare() -> tuple[VAE, dict[str, Any], Sequence[Mapping[str, Any]]]:
        settings = widgets.values(dials)
        shape: Sequence[int] = own.example.images.shape[1:]
        if handed.value:
            shape = settings["colour"], settings["side"], settings["side"]
        return _make(shape, settings), settings, handed.value

    def train(
        made: tuple[VAE, dict[str, Any], Sequence[Mapping[str, Any]]], say: widgets.Say
    ) -> str:
        model, settings, files = made
        images, left_out = own.example, ""
        if files:
            say("reading")
            images, left_out = _handed_over(files, settings["side"], settings["colour"])
        told = own.run(model, images, settings, say)
        show()
        return told + left_out

    def look(_: object = None) -> None:
        """Let the dials say of what pictures they are."""
        for key in ("side", "colour"):
            dials[key].disabled = not handed.value
        channels, height, width = own.example.images.shape[1:]
        kind = "grey" if channels == 1 else "colour"
        said.value = (
            f"{len(handed.value)} file{'s' * (len(handed.value) > 1)} handed over"
            if handed.value
            else f"until then: {len(own.example)} pictures in {kind}, {width} × {height} pixels"
        )

    show()
    look()
    handed.observe(look, "value")
    rows = [[handed, said], [dials["side"], dials["colour"]]]
    rows += [[dials["noise"], dials["epochs"]], [dials["seed"]]]
    button = widgets.runner("train", prepare, train)
    return ipywidgets.VBox([*map(ipywidgets.HBox, rows), button, shown])


def _handed_over(
    files: Sequence[Mapping[str, Any]], side: int, channels: int
) -> tuple[ImageSet, str]:
    """The pictures of zips or of some files, and in words which files were left out."""
    with TemporaryDirectory() as place:
        root = Path(place) / "pictures"
        root.mkdir()
        _lay_out(files, root)
        found = _inside(root)
        try:
            # Its words, not its warning: to catch one would catch those of other threads too.
            images, left_out = read_folder(found, side, channels, progress=False)
        except ValueError as refusal:
            words = str(refusal).replace(f"in {found}", "in what you have handed over")
            raise ValueError(re.sub("^path must", "pictures must", words)) from None
    if len(images) < _LEAST:
        raise ValueError(f"pictures must be {_LEAST} or more, got {len(images)}")
    return images, left_out and f"\n{left_out}"


def _lay_out(files: Sequence[Mapping[str, Any]], root: Path) -> None:
    """Write files into a folder; a zip beside others becomes a class, which has its name."""
    size = entries = 0
    for i, file in enumerate(files):
        name, content = Path(file["name"]).name, bytes(file["content"])
        packed = name.lower().endswith(".zip")
        try:
            place = root / (Path(name).stem if packed else name)
            if place.exists():
                raise ValueError(f"pictures must have names of their own, got two {place.name}")
            if not packed:
                size, entries = size + len(content), entries + 1
                _check_room(size, entries)
                place.write_bytes(content)
                continue
            with zipfile.ZipFile(io.BytesIO(content)) as opened:
                inside = opened.infolist()
                size += sum(part.file_size for part in inside)
                entries += len(inside)
                _check_room(size, entries)
                if any(part.flag_bits & 1 for part in inside):
                    raise ValueError(f"{name} has a password")
                apart = root if len(files) == 1 else root.with_name(f"{i}")
                opened.extractall(apart)
            if apart != root:
                _innermost(apart).rename(place)
        except _UNREADABLE as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise ValueError(f"{name} can't be read: {reason}") from None


def _check_room(size: int, entries: int) -> None:
    if size > _UNPACKED:
        raise ValueError(f"pictures must be {_UNPACKED:,} bytes at most, unpacked, got {size:,}")
    if entries > _ENTRIES:
        raise ValueError(f"pictures must be {_ENTRIES:,} files at most, got {entries:,}")


def _inside(root: Path) -> Path:
    """Where the classes are: zips often hold one folder around everything."""
    shown = _shown(root)
    if len(shown) == 1 and any(map(_holds_pictures, _shown(shown[0]))):
        return _inside(shown[0])
    return root


def _innermost(place: Path) -> Path:
    """The pictures of one class, without the folders that a zip has around them."""
    shown = _shown(place)
    return _innermost(shown[0]) if len(shown) == 1 and shown[0].is_dir() else place


def _holds_pictures(place: Path) -> bool:
    """Whether it is a folder with a picture in it, or further down."""
    return any(is_picture(part.name) or _holds_pictures(part) for part in _shown(place))


def _shown(place: Path) -> list[Path]:
    """What is in a folder, without what is hidden and a Mac's own; nothing of a file."""
    parts = place.iterdir() if place.is_dir() else ()
    return [part for part in parts if part.name[0] != "." and part.name != "__MACOSX"]
