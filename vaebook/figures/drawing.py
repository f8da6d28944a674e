"""Line drawings as SVG: boxes, arrows and words in the colours of the page.

Ink is the colour of the text around, so a drawing is at home in light and in dark mode. Words
take ``<i>`` for the letters of formulas, ``<b>``, ``<sub>`` and ``<sup>``. Lengths are CSS pixels
on a phone, where a drawing is as wide as the page; on a desktop it is enlarged by a third.
"""

__all__ = ["Drawing", "Point", "Sheet"]

import base64
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from vaebook import _checks
from vaebook.figures.renderer import FONT, PRINT_INK, read_alt

Point = tuple[float, float]

_ENLARGED = 1.35
_LETTERS = "'STIX Two Text', 'Latin Modern Roman', 'Times New Roman', Times, serif"
_SIZE = 13
_FAMILY = FONT.replace('"', "'")
_PRINTED = f"background: #ffffff; color: {PRINT_INK}; font-family: {_FAMILY}"
_TAG = re.compile(r"(</?(?:i|b|sub|sup)>)")
_HEAD = 7.0  # length of an arrow's head


@dataclass(frozen=True)
class Drawing:
    """A drawing that shows itself in notebooks and on pages.

    Attributes:
        body: its elements, as SVG.
        width, height: of its frame, in CSS pixels on a phone.
        alt: what is to be seen, for readers who cannot see it.
    """

    body: str
    width: float
    height: float
    alt: str

    def __post_init__(self) -> None:
        read_alt(self.alt)

    def _repr_html_(self) -> str:
        widest = f"margin-inline: auto; max-width: {self.width * _ENLARGED:.0f}px"
        return f'<div class="vaebook-schematic" style="{widest}">{self._svg("width: 100%")}</div>'

    def __repr__(self) -> str:
        return self.alt

    def data_url(self) -> str:
        """Return the drawing as the source of an image, in dark ink on white.

        Example:
            >>> Drawing("", 10, 10, "Nothing.").data_url()[:30]
            'data:image/svg+xml;base64,PHN2'
        """
        svg = self._svg(_PRINTED)
        return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"

    def _svg(self, style: str) -> str:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}"'
            f' role="img" aria-label="{escape(self.alt)}" style="{style}" font-size="{_SIZE}"'
            f' fill="none" stroke-linecap="round" stroke-linejoin="round">{self.body}</svg>'
        )

    def save(self, path: str | Path) -> None:
        """Write the drawing for print, in dark ink on white paper.

        Args:
            path: of the file, which ends in ``.svg``.

        Raises:
            ValueError: for any other kind of file.

        Example:
            >>> Drawing("", 10, 10, "Nothing.").save("nothing.png")
            Traceback (most recent call last):
            ...
            ValueError: path must end in .svg, got 'nothing.png'
        """
        path = _checks.path(path, "path")
        if path.suffix.lower() != ".svg":
            raise ValueError(f"path must end in .svg, got {str(path)!r}")
        path.write_text(self._svg(_PRINTED), encoding="utf-8")


class Sheet:
    """A drawing under way: each method adds to it, and what comes later lies on top.

    Without a colour things are drawn in ink, as the text of the page is.

    Args:
        width, height: of the frame.
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._parts: list[str] = []

    def done(self, alt: str) -> Drawing:
        """Return the drawing with its description."""
        return Drawing("".join(self._parts), self.width, self.height, alt)

    def words(
        self, x: float, y: float, text: str, *, anchor: str = "middle", soft: bool = False
    ) -> None:
        """Write a line of words, its height in the middle of small letters.

        Args:
            anchor: what of the line is at x: its start, middle or end.
            soft: paler and a little smaller.
        """
        self._parts.append(_text(x, y, text, anchor, soft))

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        text: str = "",
        *,
        colour: str = "",
        dashed: bool = False,
        round: float = 6,
    ) -> None:
        """Draw a box with its upper left corner at a place, and words in its middle."""
        shape = f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{round:g}"'
        self._shape(shape, (x + width / 2, y + height / 2), text, colour, dashed)

    def circle(
        self,
        x: float,
        y: float,
        radius: float,
        text: str = "",
        *,
        colour: str = "",
        dashed: bool = False,
        empty: bool = False,
    ) -> None:
        """Draw a circle around a place, and words in its middle."""
        shape = f'<circle cx="{x:.4g}" cy="{y:.4g}" r="{radius:g}"'
        self._shape(shape, (x, y), text, colour, dashed, empty)

    def polygon(self, corners: Sequence[Point], text: str = "", *, colour: str = "") -> None:
        """Draw a polygon, and words in its middle."""
        middle = (
            sum(x for x, _ in corners) / len(corners),
            sum(y for _, y in corners) / len(corners),
        )
        points = " ".join(f"{x:g},{y:g}" for x, y in corners)
        self._shape(f'<polygon points="{points}"', middle, text, colour)

    def dot(self, x: float, y: float, *, colour: str = "", radius: float = 3.5) -> None:
        """Draw a point."""
        ink = colour or "currentColor"
        self._parts.append(f'<circle cx="{x:.4g}" cy="{y:.4g}" r="{radius:g}" fill="{ink}"/>')

    def line(
        self, *points: Point, colour: str = "", dashed: bool = False, soft: bool = False
    ) -> None:
        """Draw a line through places."""
        self._line(f"M{_joined(points)}", "", colour, dashed, soft)

    def arrow(
        self, *points: Point, colour: str = "", dashed: bool = False, bent: bool = False
    ) -> None:
        """Draw an arrow through places; bent, it is pulled to the one in the middle of three."""
        *way, before, tip = points
        neck, head = _head(before, tip, colour or "currentColor")
        if bent:
            path = f"M{_joined(way)} Q{_joined([before])} {_joined([neck])}"
        else:
            path = f"M{_joined([*way, before, neck])}"
        self._line(path, head, colour, dashed)

    def picture(self, x: float, y: float, side: float, rows: Sequence[Sequence[float]]) -> None:
        """Draw a square image of greys in [0, 1], black at 0."""
        pixel = side / len(rows)
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}" fill="#000" '
            'stroke="currentColor" stroke-opacity="0.35"/>'
        )
        for i, row in enumerate(rows):
            for j, grey in enumerate(row):
                if grey:
                    self._parts.append(
                        f'<rect x="{x + j * pixel:g}" y="{y + i * pixel:g}" '
                        f'width="{pixel:g}" height="{pixel:g}" fill="#fff" '
                        f'fill-opacity="{grey:g}"/>'
                    )

    def _shape(
        self,
        shape: str,
        middle: Point,
        text: str,
        colour: str,
        dashed: bool = False,
        empty: bool = False,
    ) -> None:
        """A shape with words in it, as one group."""
        ink = colour or "currentColor"
        fill = "" if empty else f' fill="{ink}" fill-opacity="{0.16 if colour else 0.05:g}"'
        words = _text(*middle, text) if text else ""
        self._parts.append(
            f'<g class="vaebook-shape">{shape}{fill} stroke="{ink}" stroke-width="1.3"'
            f"{_dash(dashed)}/>{words}</g>"
        )

    def _line(self, path: str, head: str, colour: str, dashed: bool, soft: bool = False) -> None:
        pale = ' opacity="0.4"' if soft else ""
        self._parts.append(
            f'<g{pale}><path d="{path}" stroke="{colour or "currentColor"}" stroke-width="1.5"'
            f"{_dash(dashed)}/>{head}</g>"
        )


def _dash(dashed: bool) -> str:
    return ' stroke-dasharray="4 4"' if dashed else ""


def _joined(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.4g} {y:.4g}" for x, y in points)


def _head(before: Point, tip: Point, ink: str) -> tuple[Point, str]:
    """Where an arrow's line ends, and its head."""
    turn = math.atan2(tip[1] - before[1], tip[0] - before[0])
    across, down = _HEAD * math.cos(turn), _HEAD * math.sin(turn)
    neck = (tip[0] - across, tip[1] - down)
    sides = [(neck[0] - s * 0.45 * down, neck[1] + s * 0.45 * across) for s in (-1, 1)]
    points = " ".join(f"{x:.4g},{y:.4g}" for x, y in (tip, *sides))
    return neck, f'<polygon points="{points}" fill="{ink}"/>'


def _text(x: float, y: float, text: str, anchor: str = "middle", soft: bool = False) -> str:
    pale = f' font-size="{_SIZE - 1}" fill-opacity="0.72"' if soft else ""
    return (
        f'<text x="{x:.4g}" y="{y + 0.34 * _SIZE:.4g}" text-anchor="{anchor}" '
        f'fill="currentColor"{pale}>{_spans(text)}</text>'
    )


def _spans(text: str) -> str:
    """Words with tags as spans: of another face, lowered, raised."""
    spans, open_tags, before = [], set[str](), 0.0
    for part in _TAG.split(text):
        if _TAG.fullmatch(part):
            name = part.strip("</>")
            (open_tags.discard if part[1] == "/" else open_tags.add)(name)
        elif part:
            look = f' font-family="{_LETTERS}" font-style="italic" font-size="1.12em"' * (
                "i" in open_tags
            )
            look += ' font-weight="600"' * ("b" in open_tags)
            level = 0.26 * ("sub" in open_tags) - 0.34 * ("sup" in open_tags)
            if level:
                look = look.replace("1.12em", "0.8em") if look else ' font-size="0.75em"'
            if level != before:
                look += f' dy="{_SIZE * (level - before):.3g}"'
            before = level
            spans.append(f"<tspan{look}>{escape(part)}</tspan>" if look else escape(part))
    return "".join(spans)
