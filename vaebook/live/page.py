"""How a live figure gets into a notebook, onto a page, and into a file of its own."""

__all__ = ["Live"]

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vaebook import _checks
from vaebook.figures.renderer import read_alt, script_json
from vaebook.live.bundle import bundle

_FILE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<style>body {{ font: 16px/1.5 system-ui, sans-serif; margin: 1rem; }}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{figure}
</main>
</body>
</html>
"""


@dataclass(frozen=True)
class Live:
    """A figure that runs in the reader's browser; show it, `save()` it, or take its `widget()`.

    Its HTML carries all that it needs: models, script, and static pictures for print and for
    where no script runs. A model is known by the hash of its content.

    Attributes:
        tag: name of the custom element.
        config: what the element reads.
        models: the texts of the networks that it runs, by their hashes.
        pictures: data URLs of the static pictures, by what they show; the first is described by
            `alt`.
        bounds: of each number of the widget's `z`.
        alt: what is to be seen, for readers who cannot see it.
    """

    tag: str
    config: Mapping[str, Any]
    models: Mapping[str, str] = field(repr=False)
    pictures: Mapping[str, str] = field(repr=False)
    bounds: Sequence[tuple[float, float]]
    alt: str

    def __post_init__(self) -> None:
        read_alt(self.alt)

    def _repr_html_(self) -> str:
        models = "".join(
            f'<script type="application/json" data-model="{name}">{text}</script>'
            for name, text in self.models.items()
        )
        alt = html.escape(read_alt(self.alt))
        images = "".join(
            f'<img class="dark-light" data-part="{html.escape(part)}" src="{source}" '
            f'alt="{html.escape(part) if i else alt}">'
            for i, (part, source) in enumerate(self.pictures.items())
        )
        return (
            f'{models}<{self.tag} role="group" aria-label="{alt}">'
            f'<script type="application/json">{script_json(self.config)}</script>'
            f'<div class="vaebook-live-static">{images}</div></{self.tag}>'
            f'<script type="module" data-vaebook-live="">{bundle()}</script>'
        )

    def save(self, path: str | Path, *, title: str = "A live figure", lang: str = "en") -> None:
        """Write one HTML file that shows the figure, from a disk too, and loads nothing else.

        Args:
            path: ends in ".html"; what is there is replaced.
            title: of the page.
            lang: of `title` and of the figure's description.

        Raises:
            ValueError: for any other ending, or an empty title or language.

        Example:
            >>> from tempfile import TemporaryDirectory
            >>> from vaebook import live
            >>> with TemporaryDirectory() as folder:
            ...     live.elbo_bench(alt="A bench.").save(f"{folder}/bench.html", title="ELBO")
        """
        path = _checks.path(path, "path")
        if path.suffix.lower() != ".html":
            raise ValueError(f"path must end in '.html', got {str(path)!r}")
        for name, value in (("title", title), ("lang", lang)):
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f"{name} must be a text that is not empty, got {value!r}")
        text = _FILE.format(
            title=html.escape(title), lang=html.escape(lang), figure=self._repr_html_()
        )
        path.write_text(text, encoding="utf-8")

    def widget(self) -> Any:
        """Return the figure as an anywidget, whose traitlet `z` follows the reader.

        Setting `z` moves the figure. In each, `z` is

        - the point, in `latent_map`, `heatmap_walk` and `twins`; the start of the chains, in
          `chains`; the draw, in `pipeline`;
        - mean and standard deviation of q, in `elbo_bench`; two of each, in `refinement`;
        - the three factors, in `heatmap_panel`; those of both heatmaps, in `shortest_ways`;
        - degrees of freedom and scale, in `tails`;
        - the number of a model and a place on its map, in `beta_dial`;
        - how many rows are seen, in `half_digit`;
        - time and start of the draw, in `denoising`;
        - the number of a vector, in `codebook`;
        - temperature and logits, in `simplex`;
        - the code of the image that is drawn, in `draw_digit` and `draw_prior`: setting it draws
          the image that is decoded there, and what is read then is the code of that image;
        - the code of the chosen image, in `trainer`: setting it chooses the image nearest to it.

        A value that a figure can't take is refused with a `TraitError`. The `drawn` of
        `draw_digit` is the image in MNIST's frame, one byte per pixel, in base64.

        Raises:
            ImportError: when anywidget isn't installed.
        """
        import anywidget
        import traitlets

        bounds = self.bounds

        class LiveWidget(anywidget.AnyWidget):
            _esm = bundle()
            tag = traitlets.Unicode().tag(sync=True)
            config = traitlets.Dict().tag(sync=True)
            models = traitlets.Dict().tag(sync=True)
            z = traitlets.List(traitlets.Float()).tag(sync=True)
            drawn = traitlets.Unicode().tag(sync=True)

            @traitlets.validate("z")
            def _within_bounds(self, proposal: Any) -> list[float]:
                z: list[float] = proposal["value"]
                # An easel has no code before its page has encoded the first drawing.
                if z and not (
                    len(z) == len(bounds)
                    and all(map(math.isfinite, z))
                    and all(low <= v <= high for v, (low, high) in zip(z, bounds, strict=True))
                ):
                    limits = ", ".join(f"[{low:g}, {high:g}]" for low, high in bounds)
                    raise traitlets.TraitError(f"z must be numbers in {limits}, got {z}")
                return z

        return LiveWidget(
            tag=self.tag,
            config=dict(self.config),
            models=dict(self.models),
            z=self.config.get("start", []),
        )
