"""How the book's plotly figures look, and how they get onto a page.

Plotly's own choice in a Jupyter kernel is a mime type which JupyterLab, Notebook 7 and VS Code
draw, and which the rendered book cannot show. Importing :mod:`vaebook.figures` therefore *adds*
HTML to it: the figure as JSON inside a ``<div class="vaebook-plot">``, drawn on the pages by
``_static/vaebook-plots.js``. Whatever plotly chooses elsewhere (Colab, Kaggle, a terminal, the
variable ``PLOTLY_RENDERER``) is left alone, so that nobody loses a figure.
"""

__all__ = ["CATEGORICAL", "SEQUENTIAL", "TEMPLATE", "BookRenderer", "register"]

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

_INK = "#737373"  # readable on white and on a dark page; the page's script puts in the theme's own
_RULE = "rgba(127, 127, 127, 0.25)"
_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
_MODE_BAR = ("select2d", "lasso2d", "autoScale2d", "toggleSpikelines", "hoverClosestCartesian")
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
    colour_bar = {"outlinewidth": 0, "thickness": 12, "ticklen": 4}
    scale = {"colorscale": SEQUENTIAL, "colorbar": colour_bar}
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


class BookRenderer(PlotlyRenderer):
    """A figure as the HTML that the book's script draws."""

    def to_mimebundle(self, fig_dict: dict[str, Any]) -> dict[str, str]:
        """Return the figure's HTML; its description is ``layout.meta["alt"]``."""
        figure = {key: fig_dict[key] for key in ("data", "layout", "frames") if key in fig_dict}
        meta = figure.get("layout", {}).get("meta")
        alt = html.escape(str(meta.get("alt", "")) if isinstance(meta, dict) else "")
        label = f' role="img" aria-label="{alt}"' if alt else ""
        text = pio.to_json({**figure, "config": _CONFIG}, validate=False, remove_uids=False)
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
