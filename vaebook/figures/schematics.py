"""What a lecturer would draw on the board: the ideas of the book as line drawings.

Example:
    >>> from vaebook import figures
    >>> figures.schematics.bottleneck().alt[:33]
    'An image goes into a trapezoid, t'
"""

__all__ = [
    "anchored_prior",
    "bottleneck",
    "course",
    "diffusion_chain",
    "elbo_bars",
    "graphical_model",
    "hole_and_gap",
    "pcn_circle",
    "pull_back",
    "reparameterisation",
    "skips",
]

import itertools
import math

from vaebook import _checks
from vaebook.figures.drawing import Drawing, Point, Sheet
from vaebook.figures.numbers import number
from vaebook.figures.renderer import CATEGORICAL

_BLUE, _ORANGE, _GREEN, _MAGENTA = CATEGORICAL[:4]
_RED = CATEGORICAL[9]
# The terms of the ELBO, here and in the live figures.
TERMS = {"reconstruction": _BLUE, "kl": _ORANGE, "elbo": _GREEN, "gap": _MAGENTA}
_WIDTH = 360  # of a phone's column, in CSS pixels

_SEVEN = (
    (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    (0.0, 0.6, 0.9, 1.0, 1.0, 1.0, 0.4, 0.0),
    (0.0, 0.3, 0.4, 0.4, 0.5, 1.0, 0.5, 0.0),
    (0.0, 0.0, 0.0, 0.0, 0.6, 0.9, 0.1, 0.0),
    (0.0, 0.0, 0.0, 0.2, 1.0, 0.5, 0.0, 0.0),
    (0.0, 0.0, 0.0, 0.7, 0.9, 0.1, 0.0, 0.0),
    (0.0, 0.0, 0.1, 1.0, 0.5, 0.0, 0.0, 0.0),
    (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
)


def bottleneck() -> Drawing:
    """Draw an image squeezed into a code and opened out again: an autoencoder.

    Example:
        >>> bottleneck().width
        360
    """
    sheet = Sheet(_WIDTH, 138)
    middle, side = 52, 72
    sheet.picture(8, middle - side / 2, side, _SEVEN)
    sheet.picture(_WIDTH - 8 - side, middle - side / 2, side, _blurred(_SEVEN))
    for left, right, name in ((92, 160, "encoder"), (200, 268, "decoder")):
        wide, narrow = (44, 26) if name == "encoder" else (26, 44)
        corners = [
            (left, middle - wide),
            (right, middle - narrow),
            (right, middle + narrow),
            (left, middle + wide),
        ]
        sheet.polygon(corners, name, colour=_BLUE)
    for y in (middle - 19, middle + 1):
        sheet.box(171, y, 18, 18, colour=_ORANGE, round=3)
    for x in (82, 161, 190, 269):
        sheet.arrow((x, middle), (x + 9, middle))
    for x, name, size in (
        (44, "image <i>x</i>", 784),
        (180, "code <i>z</i>", 2),
        (316, "decoded <i>x\N{COMBINING CIRCUMFLEX ACCENT}</i>", 784),
    ):
        sheet.words(x, 110, name)
        sheet.words(x, 127, f"{size} numbers", soft=True)
    return sheet.done(
        "An image goes into a trapezoid, the encoder, which narrows to a code of two numbers; a "
        "second trapezoid, the decoder, widens from the code to an image that is like the first "
        "one, but blurred."
    )


def graphical_model() -> Drawing:
    """Draw a VAE as a graphical model: the decoder's arrow down, the encoder's back up.

    Example:
        >>> graphical_model().height
        236
    """
    sheet = Sheet(_WIDTH, 236)
    z, x = (180, 48), (180, 136)
    sheet.box(128, 12, 104, 164)
    sheet.words(222, 164, "<i>N</i>", anchor="end")
    sheet.circle(*z, 22, "<i>z</i>", empty=True, colour=_ORANGE)
    sheet.circle(*x, 22, "<i>x</i>", colour=_BLUE)
    sheet.arrow((180, 72), (180, 112))
    sheet.words(60, 136, "<i>θ</i>")
    sheet.arrow((70, 136), (156, 136))
    sheet.words(300, 48, "<i>φ</i>")
    sheet.arrow((290, 48), (204, 48), dashed=True)
    sheet.arrow((200, 121), (222, 92), (198, 64), dashed=True, bent=True)
    sheet.words(8, 65, "code", anchor="start", soft=True)
    sheet.words(8, 48, "<i>p</i>(<i>z</i>) = <i>N</i>(0, <i>I</i>)", anchor="start")
    sheet.words(246, 136, "image", anchor="start", soft=True)
    for y, dashed, text in (
        (198, False, "decoder: <i>p</i><sub><i>θ</i></sub>(<i>x</i> | <i>z</i>)"),
        (220, True, "encoder: <i>q</i><sub><i>φ</i></sub>(<i>z</i> | <i>x</i>)"),
    ):
        sheet.arrow((100, y), (138, y), dashed=dashed)
        sheet.words(148, y, text, anchor="start")
    return sheet.done(
        "Two circles in a frame marked N: the code z above, the image x, which is seen, below. "
        "A solid arrow leads from z to x, and one from the parameters theta to x: the decoder. "
        "Dashed arrows lead back from x to z, and from the parameters phi to z: the encoder."
    )


def diffusion_chain() -> Drawing:
    """Draw a diffusion as a VAE with many latents: the process is its encoder, and has no weights.

    Example:
        >>> diffusion_chain().height
        150
    """
    sheet = Sheet(_WIDTH, 150)
    names = ("y", "z<sub>0</sub>", "z<sub><i>s</i></sub>", "z<sub><i>t</i></sub>", "z<sub>1</sub>")
    places = (24, 100, 178, 256, 332)
    for i, (x, name) in enumerate(zip(places, names, strict=True)):
        letter = f"<i>{name[0]}</i>{name[1:]}"
        sheet.circle(x, 62, 20, letter, colour=_ORANGE if i else _BLUE, empty=bool(i))
    for i, (x, right) in enumerate(itertools.pairwise(places)):
        middle = (x + right) / 2
        sheet.arrow((x + 14, 44), (middle, 20), (right - 14, 44), dashed=True, bent=True)
        sheet.arrow((right - 14, 80), (middle, 104), (x + 14, 80), bent=True)
        if i in (1, 3):
            sheet.words(middle, 62, "…")
    sheet.words(24, 24, "code", soft=True)
    sheet.words(332, 24, "noise", soft=True)
    for x, dashed, text in ((24, True, "noise is added"), (190, False, "the field leads back")):
        sheet.arrow((x, 136), (x + 32, 136), dashed=dashed)
        sheet.words(x + 40, 136, text, anchor="start")
    return sheet.done(
        "Five circles in a row: the code y, which is seen, z 0, z s, z t, and z 1, the noise. "
        "Dashed arrows lead from each to the next on the right: noise is added, the encoder. "
        "Solid arrows lead from each to the next on the left, back to the code: the decoder."
    )


def reparameterisation() -> Drawing:
    """Draw why the noise is drawn outside: so that gradients reach the encoder.

    Example:
        >>> reparameterisation().height
        292
    """
    sheet = Sheet(_WIDTH, 292)
    sheet.words(84, 14, "<b>drawn inside</b>")
    sheet.words(268, 14, "<b>noise from outside</b>")
    sheet.line((174, 10), (174, 250), soft=True, dashed=True)

    for x, letter in ((48, "μ"), (120, "σ")):
        sheet.box(x - 17, 40, 34, 34, f"<i>{letter}</i>", round=4)
    sheet.circle(84, 136, 20, "<i>z</i>", colour=_ORANGE)
    sheet.arrow((54, 76), (73, 117))
    sheet.arrow((114, 76), (95, 117))
    sheet.words(84, 172, "<i>z</i> ~ <i>N</i>(<i>μ</i>, <i>σ</i><sup>2</sup>)")

    for x, letter in ((212, "μ"), (262, "σ")):
        sheet.box(x - 17, 40, 34, 34, f"<i>{letter}</i>", round=4)
    sheet.circle(326, 57, 18, "<i>ε</i>", colour=_ORANGE)
    sheet.words(326, 88, "<i>N</i>(0, <i>I</i>)", soft=True)
    sheet.box(242, 118, 40, 36, "<i>z</i>", round=4)
    sheet.arrow((218, 76), (248, 116))
    sheet.arrow((262, 76), (262, 116))
    sheet.arrow((311, 69), (277, 116))
    sheet.words(262, 172, "<i>z</i> = <i>μ</i> + <i>σε</i>")

    for x in (84, 262):
        sheet.arrow((x, 184), (x, 206))
        sheet.box(x - 28, 208, 56, 30, "loss")
        back = ((x + 31, 223), (x + 58, 223), (x + 58, 136), (x + 23, 136))
        sheet.arrow(*back, colour=_GREEN, dashed=True)
    sheet.arrow((232, 124), (205, 84), colour=_GREEN, dashed=True)
    sheet.arrow((251, 116), (251, 78), colour=_GREEN, dashed=True)
    for s in (-1, 1):
        sheet.line((84 - 6, 100 - 6 * s), (84 + 6, 100 + 6 * s), colour=_RED)

    sheet.box(16, 266, 16, 16, round=3)
    sheet.words(38, 274, "computed", anchor="start", soft=True)
    sheet.circle(126, 274, 8, colour=_ORANGE)
    sheet.words(140, 274, "drawn", anchor="start", soft=True)
    sheet.arrow((206, 274), (240, 274), colour=_GREEN, dashed=True)
    sheet.words(248, 274, "gradient", anchor="start", soft=True)
    return sheet.done(
        "Left, mu and sigma lead to a z that is drawn from N(mu, sigma squared), and z to the "
        "loss; the gradient comes back from the loss to z and stops there. Right, z is computed "
        "as mu plus sigma times epsilon, and only epsilon is drawn; the gradient passes through "
        "z to mu and sigma."
    )


def elbo_bars(reconstruction: float, kl: float, log_evidence: float) -> Drawing:
    """Draw the ELBO as bars, to scale: what the reconstruction gives, the KL takes, and the gap.

    Args:
        reconstruction: mean of log p(x | z) over q, in nats.
        kl: of q from the prior, in nats.
        log_evidence: log p(x), in nats; no less than reconstruction - kl.

    Raises:
        ValueError: for a KL below 0, and a bound above what it bounds.

    Example:
        >>> elbo_bars(-75, 20, -90).alt[-44:]
        'log p(x) is −90.0, and the gap to it is 5.0.'
    """
    for name, value in (("reconstruction", reconstruction), ("log_evidence", log_evidence)):
        _checks.number(value, name, -1e9, 1e9)
    _checks.number(kl, "kl", 0, 1e9)
    elbo = reconstruction - kl
    if log_evidence < elbo:
        raise ValueError(
            f"log_evidence must be reconstruction - kl = {elbo} or more, got {log_evidence}"
        )
    left, right, high, step = 10, _WIDTH - 10, 17, 45
    q = "<i>q</i>(<i>z</i> | <i>x</i>)"
    low, top = min(elbo, 0.0), max(reconstruction, log_evidence, 0.0)
    unit = (right - left) / ((top - low) or 1.0)

    def at(value: float) -> float:
        return left + (value - low) * unit

    rows = (
        ("reconstruction", reconstruction, 0.0, reconstruction, TERMS["reconstruction"]),
        (f"−KL({q} ‖ <i>p</i>(<i>z</i>))", -kl, elbo, reconstruction, TERMS["kl"]),
        ("<b>ELBO</b>", elbo, 0.0, elbo, TERMS["elbo"]),
        ("log <i>p</i>(<i>x</i>)", log_evidence, 0.0, log_evidence, ""),
        (f"gap: KL({q} ‖ <i>p</i>(<i>z</i> | <i>x</i>))", log_evidence - elbo, elbo,
         log_evidence, TERMS["gap"]),
    )  # fmt: skip
    sheet = Sheet(_WIDTH, len(rows) * step + 6)
    for place, first, last in (
        (0.0, 0, 3), (reconstruction, 0, 1), (elbo, 1, 4), (log_evidence, 3, 4)
    ):  # fmt: skip
        ends = [(at(place), 25 + step * first), (at(place), 35 + step * last)]
        sheet.line(*ends, dashed=True, soft=True)
    for i, (name, value, start, end, colour) in enumerate(rows):
        y = 10 + i * step
        sheet.words(right - 60, y, name, anchor="end")
        sheet.words(right - 6, y, number(value, 1), anchor="end")
        start, end = sorted((at(start), at(end)))
        sheet.box(start, y + 12, end - start, high, colour=colour, round=2)
    values = [number(v, 1) for v in (reconstruction, kl, elbo, log_evidence, log_evidence - elbo)]
    return sheet.done(
        "Five bars on one scale, in nats. The reconstruction is {}, the KL from the prior takes "
        "{} away, and the ELBO is what is left, {}; log p(x) is {}, and the gap to it is "
        "{}.".format(*values)
    )


def pcn_circle() -> Drawing:
    """Draw where a step of pCN and one of the random walk lead, in many dimensions.

    Example:
        >>> pcn_circle().width
        360
    """
    sheet = Sheet(_WIDTH, 300)
    centre, radius, step = (124.0, 172.0), 116.0, 0.8
    c = math.sqrt(1 - step**2)

    def at(along: float, across: float, turn: float = 0.12) -> Point:
        """A place in units of the radius along z and along xi."""
        x = along * math.cos(turn) - across * math.sin(turn)
        y = along * math.sin(turn) + across * math.cos(turn)
        return centre[0] + radius * x, centre[1] - radius * y

    z, xi, shrunk = at(1, 0), at(0, 1), at(c, 0)
    circle, walk = at(c, step), at(1, step)
    sheet.circle(*centre, radius, colour=_BLUE)
    sheet.line(centre, z, soft=True)
    sheet.line(centre, xi, soft=True)
    sheet.arrow(z, _short(z, shrunk), colour=_BLUE, dashed=True)
    sheet.arrow(shrunk, _short(shrunk, circle), colour=_BLUE)
    sheet.arrow(z, _short(z, walk), colour=_ORANGE)
    for place, colour in ((centre, ""), (z, ""), (xi, ""), (circle, _BLUE), (walk, _ORANGE)):
        sheet.dot(*place, colour=colour, radius=4)
    sheet.words(centre[0] - 8, centre[1] + 12, "0", anchor="end")
    sheet.words(z[0] + 9, z[1], "<i>z</i>", anchor="start")
    sheet.words(z[0] + 9, z[1] + 18, "the chain", anchor="start", soft=True)
    sheet.words(xi[0] - 6, xi[1] - 14, "<i>ξ</i>, the noise")
    sheet.words(circle[0] - 8, circle[1] + 18, "<i>cz</i> + <i>sξ</i>", anchor="end")
    sheet.words(walk[0] + 9, walk[1], "<i>z</i> + <i>sξ</i>", anchor="start")
    sheet.words(walk[0] + 9, walk[1] - 18, "random walk", anchor="start", soft=True)
    sheet.words(circle[0] - 8, circle[1] + 36, "pCN", anchor="end", soft=True)
    sheet.words(centre[0], centre[1] + 62, "‖<i>z</i>‖ ≈ √<i>D</i>")
    sheet.words(centre[0], centre[1] + 82, "where draws of <i>N</i>(0, <i>I</i>) lie", soft=True)
    return sheet.done(
        "A circle around 0, on which the draws of N(0, I) lie: its radius is about the square "
        "root of D. The chain's place z and the noise xi lie on it, at a right angle. The random "
        "walk goes from z straight along xi and leaves the circle; pCN first shrinks z, then adds "
        "its part of xi, and is on the circle again."
    )


def pull_back() -> Drawing:
    """Draw a metric as what it measures: circles among the images, pulled back to the codes.

    Example:
        >>> pull_back().width
        360
    """
    sheet = Sheet(_WIDTH, 222)
    left, right, high, unit = 76.0, 266.0, 104.0, 62.0
    radius = 0.2
    ticks = [k / 10 for k in range(-10, 11)]

    def code(u: float, v: float) -> Point:
        return left + unit * u, high - unit * v

    def image(u: float, v: float) -> Point:
        """Where the decoder sends a code, as a view of its surface."""
        x, y = 0.95 * u * (1 + 0.45 * v), 0.75 * v + 0.3 * u**2 - 0.1
        return right + unit * x, high - unit * y

    for k in (-1.0, -0.5, 0.0, 0.5, 1.0):
        for place in (code, image):
            sheet.line(*(place(k, t) for t in ticks), soft=True)
            sheet.line(*(place(t, k) for t in ticks), soft=True)
    for u, v in ((-0.5, -0.5), (0.0, 0.5), (0.5, -0.5)):
        # The inverse of the Jacobian turns the circle into an ellipse.
        a, b, c, d = 0.95 * (1 + 0.45 * v), 0.95 * 0.45 * u, 0.6 * u, 0.75
        corners = []
        for step in range(48):
            turn = 2 * math.pi * step / 48
            x, y = radius * math.cos(turn), radius * math.sin(turn)
            det = a * d - b * c
            corners.append(code(u + (d * x - b * y) / det, v + (a * y - c * x) / det))
        sheet.polygon(corners, colour=_ORANGE)
        sheet.dot(*code(u, v), radius=2.5)
        sheet.circle(*image(u, v), unit * radius, colour=_ORANGE)
        sheet.dot(*image(u, v), radius=2.5)
    sheet.arrow((148, high), (184, high))
    sheet.words(165, high - 14, "<i>g</i>")
    for x, name, steps in (
        (left, "codes", "<i>dz</i><sup>T</sup> <i>G dz</i> = const."),
        (right, "images", "‖<i>J dz</i>‖ = const."),
    ):
        sheet.words(x, 14, f"<b>{name}</b>")
        sheet.words(x, 204, steps)
    return sheet.done(
        "Left, a square grid of codes with three ellipses of different sizes and slants. An "
        "arrow, the decoder g, leads to the bent grid of their images, where each ellipse has "
        "become a circle, and all circles are equally large."
    )


def hole_and_gap() -> Drawing:
    """Draw which heatmaps are left out for the test of short cuts, and which pairs are tested.

    Example:
        >>> hole_and_gap().width
        360
    """
    sheet = Sheet(_WIDTH, 216)
    across, high, low, bottom = 138.0, 4.9, 0.1, 150.0
    reach, top = 0.95, 34.0

    def at(panel: float, corr: float, variance: float) -> Point:
        x = panel + across * (corr + reach) / (2 * reach)
        return x, bottom - (bottom - top) * (variance - low) / (high - low)

    for panel, name, ends, pair, clear in (
        (32.0, "a hole", (0.9, 4.0), ((-0.85, 2.2), (0.85, 3.4)), ((-0.8, 4.4), (0.5, 4.6))),
        (214.0, "a gap", (low, high), ((-0.85, 2.2), (0.85, 3.4)), ((0.85, 0.5), (0.8, 2.4))),
    ):
        sheet.words(panel + across / 2, 14, f"<b>{name}</b>")
        sheet.box(panel, top, across, bottom - top, round=0)
        x, y = at(panel, -0.7, ends[1])
        right, under = at(panel, 0.7, ends[0])
        sheet.box(x, y, right - x, under - y, colour=_ORANGE, round=0)
        sheet.words((x + right) / 2, under - 14, "left out", soft=True)
        for (start, end), colour, dashed in ((pair, _BLUE, False), (clear, "", True)):
            start, end = at(panel, *start), at(panel, *end)
            sheet.line(start, end, colour=colour, dashed=dashed)
            for place in (start, end):
                sheet.dot(*place, colour=colour, radius=4)
        for corr, label in ((-0.7, "−0.7"), (0.7, "0.7")):
            sheet.words(at(panel, corr, low)[0], bottom + 13, label, soft=True)
        sheet.words(panel + across / 2, bottom + 29, "correlation", soft=True)
    for variance, label in ((0.9, "0.9"), (4.0, "4")):
        sheet.words(27, at(32.0, 0, variance)[1], label, anchor="end", soft=True)
    sheet.words(4, 24, "variances", anchor="start", soft=True)
    for x, colour, dashed, label in (
        (60, _BLUE, False, "a path across"),
        (216, "", True, "a clear one"),
    ):
        sheet.line((x, 204), (x + 32, 204), colour=colour, dashed=dashed)
        sheet.words(x + 40, 204, label, anchor="start")
    return sheet.done(
        "Two boxes of heatmaps, the correlation across, the variances upwards. In the first a "
        "rectangle in the middle is left out, in the second a stripe from top to bottom, which "
        "parts the rest in two. In both a solid path leads across what is left out, from a "
        "negative to a positive correlation, and a dashed one keeps clear of it."
    )


def anchored_prior() -> Drawing:
    """Draw the anchored prior: a Gaussian that moves along the diagonal with an image's score.

    Example:
        >>> anchored_prior().width
        360
    """
    sheet = Sheet(_WIDTH, 306)
    centre, shift = (180.0, 150.0), 90.0
    sheet.arrow((14, centre[1]), (346, centre[1]))
    sheet.arrow((centre[0], 300), (centre[0], 6))
    sheet.words(346, centre[1] + 16, "<i>z</i><sub>1</sub>", anchor="end")
    sheet.words(centre[0] + 9, 12, "<i>z</i><sub>2</sub>", anchor="start")
    for turn, colour in ((-1, _BLUE), (0, ""), (1, _ORANGE)):
        x, y = centre[0] + turn * shift, centre[1] - turn * shift
        for radius in (48, 24):
            sheet.circle(x, y, radius, colour=colour, dashed=not turn)
        if turn:
            sheet.arrow(
                (centre[0] + 9 * turn, centre[1] - 9 * turn), (x - 16 * turn, y + 16 * turn)
            )
            _template(sheet, x, y, ring=turn < 0)
    sheet.dot(*centre)
    for x, y, anchor, name in (
        (8, 166, "start", "round: <i>c</i> > 0"),
        (352, 122, "end", "straight: <i>c</i> < 0"),
    ):
        sheet.words(x, y, name, anchor=anchor)
        sheet.words(x, y + 17, "<i>N</i>(−<i>rc</i><b>1</b>, <i>I</i>)", anchor=anchor)
    sheet.words(230, 190, "<i>N</i>(0, <i>I</i>), <i>c</i> = 0", anchor="start")
    return sheet.done(
        "A plane with three round Gaussians on its diagonal. That of images without a score, "
        "N(0, I), is in the middle; that of round images has been moved down to the left, and "
        "that of straight ones up to the right, each as far as rate times score."
    )


def skips() -> Drawing:
    """Draw a U-Net as a decoder: feature maps of the image reach it past the latent code.

    Example:
        >>> skips().width
        360
    """
    sheet = Sheet(_WIDTH, 286)
    levels = ((44, 22, 28), (102, 18, 14), (160, 14, 7))  # height, half a side, pixels
    middle = _WIDTH / 2
    for name, x in (("encoder", 66.0), ("decoder", _WIDTH - 66.0)):
        sheet.words(x, 10, f"<b>{name}</b>")
        for y, half, _ in levels:
            sheet.box(x - half, y - half, 2 * half, 2 * half, colour=_BLUE, round=3)
        for (high, half, _), (low, under, _) in itertools.pairwise(levels):
            ends = [(x, high + half + 2), (x, low - under - 2)]
            sheet.arrow(*(ends if name == "encoder" else ends[::-1]))
    sheet.words(24, 31, "<i>x</i>")
    sheet.arrow((10, 44), (42, 44))
    sheet.arrow((_WIDTH - 42, 44), (_WIDTH - 10, 44))
    sheet.words(_WIDTH - 24, 31, "<i>x\N{COMBINING CIRCUMFLEX ACCENT}</i>")
    for y, half, pixels in levels:
        sheet.arrow((68 + half, y), (_WIDTH - 68 - half, y), colour=_RED, dashed=True)
        sheet.words(middle, y - 12, f"{pixels} × {pixels}", soft=True)
    sheet.words(middle, 178, "skips: maps <i>s</i>(<i>x</i>), at no cost")

    for y in (210, 230):
        sheet.box(middle - 9, y, 18, 18, colour=_ORANGE, round=3)
    sheet.arrow((66, 176), (66, 229), (middle - 12, 229))
    sheet.arrow((middle + 12, 229), (_WIDTH - 66, 229), (_WIDTH - 66, 176))
    sheet.words(middle, 258, "code <i>z</i>, which costs its rate")
    sheet.words(
        middle, 276, "decoder: <i>p</i>(<i>x</i> | <i>z</i>, <i>s</i>(<i>x</i>))", soft=True
    )
    return sheet.done(
        "Left, the encoder: three boxes, from 28 by 28 down to 7 by 7 pixels; right, the decoder, "
        "three boxes from 7 by 7 up to 28 by 28. At the bottom an arrow leads from the encoder "
        "through the code z, which is small and costs its rate, to the decoder. At each of the "
        "three sizes a dashed arrow, a skip, leads straight across from the encoder to the "
        "decoder and passes the code by."
    )


# Titles of the parts and their chapters, as _toc.yml has them, in the words of a map.
COURSE = {
    "From autoencoders to the ELBO": ("autoencoders", "the ELBO", "training"),
    "Where the classes live": (
        "mixtures of classes",
        "a map of the classes",
        "higher dimensions",
        "geometry",
    ),
    "Sampling": ("three ways to sample", "pCN"),
    "Data with known factors": (
        "heatmaps",
        "the VAE’s manifold",
        "VAE against AE",
        "a fourth factor",
    ),
    "Shaping the latent space": ("beta", "anchors"),
    "After N(0, I)": ("learned priors", "discrete codes", "diffusion"),
    "On your own": ("your own images",),
}


def course() -> Drawing:
    """Draw the course of the book: what comes first, what can be read in any order, what last.

    Example:
        >>> course().width
        360
    """
    (first, *middle, beyond, last) = COURSE.items()
    sheet = Sheet(_WIDTH, 504)
    sheet.box(4, 4, 352, 66, colour=_BLUE)
    sheet.words(180, 21, first[0])
    for x, wide, name in zip((14, 158, 254), (126, 78, 92), first[1], strict=True):
        sheet.box(x, 36, wide, 24, name, colour=_BLUE, round=12)
    sheet.arrow((141, 48), (157, 48))
    sheet.arrow((237, 48), (253, 48))

    tops, high = (98, 226), 112
    for k, (title, chapters) in enumerate(middle):
        x, y = 4 + 180 * (k % 2), tops[k // 2]
        sheet.box(x, y, 172, high, colour=_GREEN)
        sheet.words(x + 86, y + 16, title)
        ends = [y + 40 + 19 * i for i in range(len(chapters))]
        sheet.line((x + 14, ends[0]), (x + 14, ends[-1]), colour=_GREEN)
        for height, name in zip(ends, chapters, strict=True):
            sheet.dot(x + 14, height, colour=_GREEN)
            sheet.words(x + 24, height, name, anchor="start", soft=True)
    sheet.arrow((180, 72), (180, 96))
    sheet.words(192, 84, "then in any order", anchor="start", soft=True)
    sheet.arrow((180, 340), (180, 364))
    sheet.box(4, 366, 352, 66, colour=_MAGENTA)
    sheet.words(180, 383, beyond[0])
    for x, wide, name in zip((14, 131, 248), (108, 108, 98), beyond[1], strict=True):
        sheet.box(x, 398, wide, 24, name, colour=_MAGENTA, round=12)
    sheet.arrow((180, 434), (180, 458))
    sheet.box(94, 460, 172, 40, colour=_ORANGE)
    sheet.words(180, 472, last[0])
    sheet.words(180, 488, last[1][0], soft=True)
    listed = "; ".join(f"{title}: {', '.join(names)}" for title, names in middle)
    return sheet.done(
        f"A map of the book. First, in order, {', '.join(first[1])}. From there an arrow leads to "
        f"four parts that can be read in any order. {listed}. An arrow leads on to "
        f"{beyond[0]}: {', '.join(beyond[1])}; and the last one to {last[1][0]}."
    )


def _short(start: Point, end: Point, gap: float = 6) -> Point:
    """The place shortly before an end."""
    share = 1 - gap / math.dist(start, end)
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def _blurred(rows: tuple[tuple[float, ...], ...]) -> list[list[float]]:
    """An image with each pixel mixed with those around it."""
    n = len(rows)

    def around(i: int, j: int) -> float:
        near = [(i + a, j + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
        inside = [rows[u][v] for u, v in near if 0 <= u < n and 0 <= v < n]
        return round(0.5 * rows[i][j] + 0.5 * sum(inside) / len(inside), 2)

    return [[around(i, j) for j in range(n)] for i in range(n)]


def _template(sheet: Sheet, x: float, y: float, ring: bool) -> None:
    """A small image of a ring or of a slanted stick."""
    n, side = 13, 28
    middle = (n - 1) / 2

    def grey(i: int, j: int) -> float:
        u, v = j - middle, middle - i
        if ring:
            away = math.hypot(u, v) - 3.4
        else:
            along = max(-4.0, min(4.0, u * math.sin(0.26) + v * math.cos(0.26)))
            away = math.hypot(u - along * math.sin(0.26), v - along * math.cos(0.26))
        value = math.exp(-(away**2) / 1.3)
        return round(value, 2) if value > 0.03 else 0.0

    pixels = [[grey(i, j) for j in range(n)] for i in range(n)]
    sheet.picture(x - side / 2, y - side / 2, side, pixels)
