"""How the book's figures look, and how they get onto a page, into a notebook and onto paper.

A :class:`Figure` is a plotly figure that brings its own display, so that nothing of the process
has to be set: JupyterLab, Notebook 7 and VS Code take plotly's mime type and draw it themselves;
everything else takes the HTML, a ``<div class="vaebook-plot">`` with the figure as JSON. On the
book's pages ``_static/vaebook-plots.js`` draws that. Where this script is not on the page (a
notebook saved as HTML, Colab, Kaggle) the short ``elsewhere.js`` at the end of the HTML draws it
with plotly's public bundle.
"""

__all__ = [
    "CATEGORICAL",
    "COLOUR_BAR",
    "FONT",
    "PRINT_INK",
    "SEQUENTIAL",
    "Figure",
    "describe",
    "faded",
    "read_alt",
    "script_json",
]

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from importlib.resources import files
from pathlib import Path
from threading import Thread
from typing import Any

import plotly.graph_objects as go
import plotly.io as pio
from plotly.basedatatypes import BaseFigure
from plotly.offline import get_plotlyjs, get_plotlyjs_version

from vaebook import _checks

# Ten colours of at least 3:1 contrast on the page in light and in dark mode, as far apart as that
# allows for full colour vision, protanopia, deuteranopia and tritanopia (found by search); those
# of digits that are alike, such as 3, 5 and 8, are farther apart than others.
CATEGORICAL = (
    "#4177dc",
    "#d28015",
    "#27750d",
    "#b61a9c",
    "#00a982",
    "#82824e",
    "#8f5b68",
    "#75828f",
    "#b682c3",
    "#dd001a",
)
# The middle of Viridis, for points: its ends vanish on a dark page or on a white one, these have a
# contrast of at least 2:1 on both. Areas touch, and have the whole.
SEQUENTIAL = ("#3d4b89", "#2e6f8e", "#22908c", "#2fb07e", "#6acc5a")
_AREAS = "Viridis"

COLOUR_BAR = {"outlinewidth": 0, "thickness": 12, "ticklen": 4}

_INK = "#737373"  # readable on white and on a dark page; the page's script puts in the theme's own
PRINT_INK = "#222832"
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
_MODE_BAR = ("select2d", "lasso2d", "autoScale2d", "toggleSpikelines", "hoverClosestCartesian")
_LINE = 22  # of a name above a row of images, in CSS pixels, as in the page's script
_BAR = 62  # of a bar of colours below a figure, with its words
_WIDTH = 700  # of a text column on a desktop, in CSS pixels
_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": [*_MODE_BAR, "hoverCompareCartesian"]}
_PIXELS = 3  # of a PNG per CSS pixel: some 300 per inch where the figure is as wide as a text
_FORMATS = (".svg", ".pdf", ".png", ".html")
_PATIENCE = 180.0  # seconds, with a browser that is to draw


def faded(colour: str, opacity: float) -> str:
    """Return a colour ``"#rrggbb"`` as CSS with an opacity.

    Example:
        >>> faded("#4177dc", 0.2)
        'rgba(65, 119, 220, 0.2)'
    """
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return f"rgba({red}, {green}, {blue}, {opacity})"


def script_json(value: object) -> str:
    r"""Return a value as JSON that can stand inside an HTML script element.

    Example:
        >>> script_json({"title": "</script>"})
        '{"title":"\\u003c/script>"}'
    """
    # Inside a script element only "<" can end the element early.
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def read_alt(alt: object) -> str:
    """Return the description of a figure on one line, and refuse an empty one."""
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt must say what is to be seen in the figure, got {alt!r}")
    return " ".join(alt.split())


_RULE = faded("#7f7f7f", 0.25)


def _template() -> go.layout.Template:
    axis = {
        "automargin": True,
        "exponentformat": "none",  # 0.0001 and 10,000, not 100µ and 10k
        "separatethousands": True,
        "gridcolor": _RULE,
        "linecolor": _RULE,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": _RULE,
        "title": {"standoff": 8},
        "zeroline": False,
    }
    scene_axis = {
        "backgroundcolor": "rgba(0, 0, 0, 0)",
        "gridcolor": _RULE,
        "linecolor": _RULE,
        "zerolinecolor": _RULE,
        "showspikes": False,
        "nticks": 5,
    }
    scale = {"colorscale": _AREAS, "colorbar": COLOUR_BAR}
    return go.layout.Template(
        layout={
            "colorway": CATEGORICAL,
            "font": {"family": FONT, "size": 13, "color": _INK},
            "title": {"x": 0, "xref": "paper", "xanchor": "left", "font": {"size": 15}},
            "paper_bgcolor": "rgba(0, 0, 0, 0)",
            "plot_bgcolor": "rgba(0, 0, 0, 0)",
            "margin": {"l": 48, "r": 12, "t": 12, "b": 40},
            "xaxis": axis,
            "yaxis": axis,
            "scene": {"xaxis": scene_axis, "yaxis": scene_axis, "zaxis": scene_axis},
            "polar": {
                "bgcolor": "rgba(0, 0, 0, 0)",
                "radialaxis": {"gridcolor": _RULE, "linecolor": _RULE},
                "angularaxis": {"gridcolor": _RULE, "linecolor": _RULE},
            },
            "legend": {
                "orientation": "h",
                "x": 0,
                "xanchor": "left",
                "y": 1.02,
                "yanchor": "bottom",
                "itemsizing": "constant",
                "bgcolor": "rgba(0, 0, 0, 0)",
            },
            "annotationdefaults": {
                "bgcolor": "rgba(255, 255, 255, 0.75)",
                "borderpad": 1,
                "font": {"color": PRINT_INK, "size": 13},
            },
            "hoverlabel": {"font": {"family": FONT, "size": 13}},
            "hovermode": "closest",
            "dragmode": "pan",
            "coloraxis": scale,
        },
        data={
            "heatmap": [go.Heatmap(scale)],
            "contour": [go.Contour(scale)],
        },
    )


_TEMPLATE = _template()


class Figure(go.Figure):
    """A plotly figure in the book's dress that shows itself in notebooks and on pages.

    What the drawing functions and :func:`describe` return. Everything that plotly's own figures
    do (``update_layout``, ``add_scatter``, ``to_dict``) it does too.
    """

    # Plotly's own would ask the default renderer of the process.
    _ipython_display_ = None

    @property
    def alt(self) -> str:
        """What is to be seen, for readers who cannot see it."""
        meta = self.layout.meta
        return str(meta.get("alt", "")) if isinstance(meta, dict) else ""

    def _repr_mimebundle_(self, *_: object, **__: object) -> dict[str, Any]:
        content = self._content()
        return {
            "application/vnd.plotly.v1+json": content,
            "text/html": self._html(content),
            "text/plain": self.alt,
        }

    def _content(self) -> dict[str, Any]:
        """Data, layout, frames and config, as plain values."""
        text = pio.to_json(self, validate=False, remove_uids=False, engine="json")
        return json.loads(text) | {"config": _CONFIG}

    def _html(self, content: dict[str, Any]) -> str:
        """The figure as HTML, drawn by the page's script or by its own."""
        alt = html.escape(self.alt)
        label = f' role="group" aria-label="{alt}"' if alt else ""
        widest = _meta(content).get("max_width")
        narrow = f' style="max-width:{widest}px"' if widest else ""
        return (
            f'<div class="vaebook-plot"{narrow}>'
            f'<div class="vaebook-plot-canvas" style="{_room(content)}"{label}></div>'
            f'<p class="vaebook-plot-fallback">{alt or "A figure drawn by script."}</p>'
            f'<script type="application/json">{script_json(content)}</script>'
            f"<script>{_elsewhere()}</script></div>"
        )

    def save(self, path: str | Path) -> None:
        """Write the figure for print, in dark ink on white paper.

        Args:
            path: of a ``.svg``, ``.pdf`` or ``.png`` (three pixels per CSS pixel), for which
                the extra ``vaebook[export]`` and Chrome or Chromium are needed; or of a
                ``.html``, one file in which the figure is alive without a network.

        Raises:
            ValueError: for any other kind of file.
            ImportError: where kaleido or its browser is missing, with the remedy.
            TimeoutError: where the browser doesn't answer within three minutes; its process may
                be left behind.

        Example:
            >>> figure = describe(go.Figure(), alt="Nothing yet.")
            >>> figure.save("nothing.doc")
            Traceback (most recent call last):
            ...
            ValueError: path must end in .svg, .pdf, .png or .html, got 'nothing.doc'
        """
        path = _checks.path(path, "path")
        kind = path.suffix.lower()
        if kind not in _FORMATS:
            raise ValueError(f"path must end in .svg, .pdf, .png or .html, got {str(path)!r}")
        printed = Figure(self)
        printed.update_layout(paper_bgcolor="#ffffff", font_color=PRINT_INK)
        if kind == ".html":
            data = printed._page().encode()
        else:
            data = printed._still(kind.removeprefix("."))
        path.write_bytes(data)

    def _page(self) -> str:
        """A page that holds nothing but the figure, and plotly itself."""
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{html.escape(self.layout.title.text or self.alt)}</title>"
            f"<script>{get_plotlyjs()}</script></head>"
            f"<body>{self._html(self._content())}</body></html>"
        )

    def _still(self, kind: str) -> bytes:
        """The figure as an image, drawn by a headless browser."""
        try:
            import kaleido
            from kaleido.errors import ChromeNotFoundError
        except ImportError as error:
            raise ImportError(
                f"a .{kind} is drawn by kaleido 1, which is missing: pip install 'vaebook[export]'"
            ) from error
        size = {"width": self.layout.width or _WIDTH, "height": self.layout.height}
        try:
            # Kaleido would load MathJax from another host; titles are plotly's HTML.
            return _in_time(
                lambda: kaleido.calc_fig_sync(
                    self.to_dict(),
                    opts={"format": kind, "scale": _PIXELS if kind == "png" else 1, **size},
                    kopts={"mathjax": False},
                )
            )
        except ChromeNotFoundError as error:
            raise ImportError(
                f"a .{kind} is drawn by Chrome or Chromium, and none was found: install one, or "
                "name its program in the environment variable BROWSER_PATH"
            ) from error


def _in_time(draw: Callable[[], bytes]) -> bytes:
    """Wait for a browser, but not for ever: kaleido's own limit begins once it has started."""
    drawn: Future[bytes] = Future()

    def answer() -> None:
        try:
            drawn.set_result(draw())
        except BaseException as error:
            drawn.set_exception(error)

    Thread(target=answer, daemon=True).start()
    try:
        return drawn.result(_PATIENCE)
    except TimeoutError:
        if drawn.done():  # it came as the time was up, or is kaleido's own
            return drawn.result()
        raise TimeoutError(
            f"the browser that draws figures did not answer in {_PATIENCE:g} s: try again, or "
            "save the figure as .html"
        ) from None


def describe(
    figure: go.Figure, alt: str, *, aspect: float = 0.6, max_width: int | None = None
) -> Figure:
    """Return a plotly figure in the book's dress, with its description.

    Args:
        figure: any, also from ``plotly.subplots.make_subplots``; it stays as it is.
        alt: what is to be seen, for readers who cannot see it.
        aspect: height of the plotting area over its width, kept at every width of the page.
        max_width: in CSS pixels; the width of the text where it is None.

    Raises:
        ValueError: for an empty description, or a size that is not positive.

    Example:
        >>> walk = go.Figure(go.Scatter(y=[0, 1, 0]))
        >>> describe(walk, "A line that rises and falls.").layout.meta["alt"]
        'A line that rises and falls.'
    """
    if not isinstance(figure, BaseFigure):
        raise ValueError(f"figure must be a plotly figure, got {type(figure).__name__}")
    alt = read_alt(alt)
    _checks.number(aspect, "aspect", 0, open=True)
    if max_width is not None:
        _checks.count(max_width, "max_width")
    described = Figure(figure)
    described.update_layout(template=_TEMPLATE)
    given = described.layout.margin.to_plotly_json()
    margin = _TEMPLATE.layout.margin.to_plotly_json() | given
    if described.layout.title.text:
        margin["t"] = max(margin["t"], 44)
    width = min(max_width or _WIDTH, _WIDTH) - margin["l"] - margin["r"]
    noted = figure.layout.meta if isinstance(figure.layout.meta, dict) else {}
    return described.update_layout(
        meta=noted | {"alt": alt, "aspect": aspect, "max_width": max_width},
        margin=margin,
        height=round(width * aspect + margin["t"] + margin["b"]),
        width=max_width,
    )


def _meta(content: dict[str, Any]) -> dict[str, Any]:
    """What :func:`describe` noted in a figure, nothing where somebody put in something else."""
    meta = content["layout"].get("meta")
    return meta if isinstance(meta, dict) else {}


def _room(content: dict[str, Any]) -> str:
    """What the page's style needs to keep room for a drawing that comes later.

    The height that this makes is that of ``heightFor`` in the page's script.
    """
    layout, data, meta = content["layout"], content["data"], _meta(content)
    if "aspect" not in meta:
        return f"min-height:{layout.get('height', 420)}px"
    margin = layout["margin"]
    # The page's script puts a range input in place of plotly's slider.
    below = 8 if layout.get("sliders") else margin["b"]
    least = 0 if data and data[0]["type"] == "image" else 210
    room = (
        f"--aspect:{meta['aspect']};--least:{least}px;"
        f"--across:{margin['l'] + margin['r']}px;--down:{margin['t'] + below}px"
    )
    # On a phone the script sets boxes in space below each other, and names above rows of images.
    boxes = sum(bool(re.fullmatch(r"scene\d*", name)) for name in layout)
    if "narrow" in meta:
        room += f";--narrow:{meta['narrow']['aspect']}"
    elif boxes > 1:
        room += f";--narrow:{meta['aspect'] * boxes**2}"
    if "rows" in meta:
        room += f";--names:{_LINE * len(meta['rows']['names'])}px"
    elif sum(map(_has_bar, data)) == 1:
        room += f";--bar:{_BAR}px"
    return room


def _has_bar(trace: dict[str, Any]) -> bool:
    """Whether a bar of colours stands beside a trace, and on a phone below it."""
    marker = trace.get("marker") or {}
    if trace["type"] in ("heatmap", "contour"):
        bar = trace.get("showscale") is not False and (trace.get("colorbar") or {})
    else:
        bar = marker.get("showscale") is not False and (marker.get("colorbar") or False)
    return bar is not False and "x" not in bar and "orientation" not in bar


@cache
def _elsewhere() -> str:
    """The script that draws a figure where the book's is not on the page."""
    digest = base64.b64encode(hashlib.sha256(get_plotlyjs().encode()).digest()).decode()
    script = files("vaebook.figures").joinpath("elsewhere.js").read_text(encoding="utf-8")
    return script.replace("VERSION", get_plotlyjs_version()).replace("DIGEST", digest).strip()
