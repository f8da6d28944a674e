"""How the book's plotly figures look, and how they get onto a page.

Plotly's own choice in a Jupyter kernel is a mime type which JupyterLab, Notebook 7 and VS Code
draw, and which the rendered book cannot show. Importing :mod:`vaebook.figures` therefore *adds*
HTML to it: the figure as JSON inside a ``<div class="vaebook-plot">``, drawn on the pages by
``_static/vaebook-plots.js``. Whatever plotly chooses elsewhere (Colab, Kaggle, a terminal, the
variable ``PLOTLY_RENDERER``) is left alone, so that nobody loses a figure.
"""

__all__ = [
    "CATEGORICAL",
    "COLOUR_BAR",
    "SEQUENTIAL",
    "TEMPLATE",
    "BookRenderer",
    "describe",
    "register",
]

import html
import json
from typing import Any

import plotly.graph_objects as go
import plotly.io as pio
from plotly.io.base_renderers import PlotlyRenderer

# Ten colours of at least 3:1 contrast on the page in light and in dark mode, as far apart as
# that allows for full colour vision, deuteranopia and protanopia (found by optimisation).
CATEGORICAL = (
    "#4177dc",
    "#d28015",
    "#38740a",
    "#c2558d",
    "#3ea1b8",
    "#7352af",
    "#768252",
    "#835a59",
    "#8e8ae7",
    "#b58688",
)
SEQUENTIAL = "Viridis"

COLOUR_BAR = {"outlinewidth": 0, "thickness": 12, "ticklen": 4}

_INK = "#737373"  # readable on white and on a dark page; the page's script puts in the theme's own
_RULE = "rgba(127, 127, 127, 0.25)"
_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
_MODE_BAR = ("select2d", "lasso2d", "autoScale2d", "toggleSpikelines", "hoverClosestCartesian")
_WIDTH = 700  # of a text column on a desktop, in CSS pixels
_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": [*_MODE_BAR, "hoverCompareCartesian"]}


def _template() -> go.layout.Template:
    axis = {
        "automargin": True,
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
    }
    scale = {"colorscale": SEQUENTIAL, "colorbar": COLOUR_BAR}
    return go.layout.Template(
        layout={
            "colorway": CATEGORICAL,
            "font": {"family": _FONT, "size": 13, "color": _INK},
            "title": {"x": 0, "xref": "paper", "xanchor": "left", "font": {"size": 15}},
            "paper_bgcolor": "rgba(0, 0, 0, 0)",
            "plot_bgcolor": "rgba(0, 0, 0, 0)",
            "margin": {"l": 48, "r": 12, "t": 12, "b": 40},
            "xaxis": axis,
            "yaxis": axis,
            "scene": {"xaxis": scene_axis, "yaxis": scene_axis, "zaxis": scene_axis},
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
                "font": {"color": "#222832", "size": 13},
            },
            "hoverlabel": {"font": {"family": _FONT, "size": 13}},
            "hovermode": "closest",
            "dragmode": "pan",
            "coloraxis": scale,
        },
        data={
            "heatmap": [go.Heatmap(scale)],
            "contour": [go.Contour(scale)],
        },
    )


TEMPLATE = _template()


def describe(
    figure: go.Figure, alt: str, *, aspect: float = 0.6, max_width: int | None = None
) -> go.Figure:
    """Give any plotly figure the book's dress and its description, and return it.

    Args:
        figure: changed in place.
        alt: what is to be seen, for readers who cannot see it.
        aspect: height of the plotting area over its width, kept at every width of the page.
        max_width: in CSS pixels; the width of the text where it is None.

    Raises:
        ValueError: for an empty description, or an aspect that is not positive.
    """
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt must say what is to be seen in the figure, got {alt!r}")
    if not aspect > 0:
        raise ValueError(f"aspect must be positive, got {aspect}")
    figure.update_layout(template=TEMPLATE)
    margin = TEMPLATE.layout.margin.to_plotly_json() | figure.layout.margin.to_plotly_json()
    if figure.layout.title.text:
        margin["t"] = max(margin["t"], 44)
    width = min(max_width or _WIDTH, _WIDTH) - margin["l"] - margin["r"]
    return figure.update_layout(
        meta={"alt": " ".join(alt.split()), "aspect": aspect, "max_width": max_width},
        margin=margin,
        height=round(width * aspect + margin["t"] + margin["b"]),
        width=max_width,
    )


class BookRenderer(PlotlyRenderer):
    """A figure as the HTML that the book's script draws."""

    def to_mimebundle(self, fig_dict: dict[str, Any]) -> dict[str, str]:
        """Return the figure's HTML; its description is ``layout.meta["alt"]``."""
        figure: dict[str, Any] = {
            key: fig_dict[key] for key in ("data", "layout", "frames") if key in fig_dict
        }
        meta = figure.get("layout", {}).get("meta")
        alt = html.escape(str(meta.get("alt", "")) if isinstance(meta, dict) else "")
        label = f' role="group" aria-label="{alt}"' if alt else ""
        text = pio.to_json(figure | {"config": _CONFIG}, validate=False, remove_uids=False)
        # Inside a script element only "<" can end the element early.
        text = json.dumps(json.loads(text), separators=(",", ":")).replace("<", "\\u003c")
        return {
            "text/html": '<div class="vaebook-plot">'
            f'<div class="vaebook-plot-canvas"{label}></div>'
            f'<p class="vaebook-plot-fallback">{alt or "A figure drawn by script."}</p>'
            f'<script type="application/json">{text}</script></div>'
        }


def register() -> None:
    """Make the template and the renderer known to plotly; add the HTML where it is wanted."""
    pio.templates["vaebook"] = TEMPLATE
    pio.renderers["book"] = BookRenderer()
    if pio.renderers.default == "plotly_mimetype":
        pio.renderers["plotly_mimetype"].config.update(_CONFIG)
        pio.renderers.default = "plotly_mimetype+book"
