"""The shortest ways that the page computes, in node, against torch, quadrature and scipy."""

import base64
import json
import math
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import optimize
from torch import Tensor

from vaebook import datasets, live, recipes
from vaebook.live.bundle import SCRIPTS, bundle
from vaebook.live.pack import pack_decoder
from vaebook.measures.cone import chart, cone_path, cone_sector
from vaebook.models import VAE, Bernoulli
from vaebook.models.networks import MLPDecoder, MLPEncoder

pytestmark = pytest.mark.slow

Run = Callable[[Any, str], Any]

PIXEL = 6 / 35
# Wide and tall, on which the figure opens; of opposite correlations; small and large.
PAIRS = [
    [[4.8, 0.3, 0.8], [0.3, 4.8, 0.8]],
    [[4.9, 4.9, 0.8], [4.9, 4.9, -0.9]],
    [[0.5, 0.5, 0.3], [4.0, 1.0, -0.5]],
]
USED = {
    "cone.js": "Cone, covariance, factorsOf",
    "heatmaps.js": "heatmapJet",
    "jets.js": "jetsOf",
    "network.js": "Network",
    "pair.js": "Pair",
    "slice.js": "Slice",
    "ways.js": "Film, Way, divided, metricOf",
}
TOOLS = """
const finish = (way) => { way.advance(); return way; };
const straight = ([a, b], steps) => divided([a, b], steps);
const start = () => new Pair(new Network(given.encoder), new Network(given.decoder));
const settled = (pair) => { while (!pair.done) pair.advance(Infinity, false); return pair; };
"""


@pytest.fixture
def run(node: Callable[[str], str], tmp_path: Path) -> Run:
    """What a program prints as JSON, which knows what is given and the modules of the figure."""
    folder = os.path.relpath(SCRIPTS, tmp_path.resolve())
    entry = tmp_path / "entry.js"
    imports = [f'import {{ {names} }} from "{folder}/{file}";\n' for file, names in USED.items()]
    entry.write_text("".join(imports) + TOOLS, encoding="utf-8")

    def run(given: Any, program: str) -> Any:
        script = f"const given = {json.dumps(given)};\n{bundle(str(entry))}"
        return json.loads(
            node(f"{script}console.log(JSON.stringify((() => {{ {program} }})()));\n")
        )

    return run


@cache
def model() -> VAE:
    """The model of the figure with the weights that the page has, in double precision."""
    found = recipes.load("heatmap-vae-optimal-s22").model
    assert isinstance(found, VAE)
    return found.half().double().eval().requires_grad_(False)


@cache
def packed() -> dict[str, Any]:
    return {
        "encoder": live.pack(model().encoder, [1, 36, 36], "float16"),
        "decoder": pack_decoder(model(), "float16"),
    }


def heatmaps(factors: Tensor) -> Tensor:
    return datasets.heatmap_images(*factors.double().T)


def ends_of(pair: list[list[float]]) -> Tensor:
    return model().codes(heatmaps(torch.tensor(pair))).mu


def jacobian(draw: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """Of images at places [N, 3]: [N, pixels, 3]."""
    rows = [torch.func.jacfwd(lambda one: draw(one[None]).flatten())(each) for each in z]
    return torch.stack(rows)


def length(images: Tensor) -> float:
    return images.flatten(1).diff(dim=0).norm(dim=1).sum().item()


def refined(path: Tensor, n: int) -> Tensor:
    """A polyline [T, 3] at n places, evenly by its vertices."""
    at = torch.linspace(0, len(path) - 1, n, dtype=path.dtype)
    first = at.long().clamp_max(len(path) - 2)
    return torch.lerp(path[first], path[first + 1], (at - first)[:, None])


def relaxed(draw: Callable[[Tensor], Tensor], path: Tensor) -> Tensor:
    """The path of least energy from this one, by scipy's L-BFGS with torch's gradients."""

    def energy(inner: np.ndarray) -> tuple[float, np.ndarray]:
        z = torch.tensor(inner).view(-1, 3).requires_grad_()
        images = draw(torch.cat([path[:1], z, path[-1:]])).flatten(1)
        found = images.diff(dim=0).square().sum()
        found.backward()
        assert z.grad is not None
        return found.item(), z.grad.flatten().numpy()

    inner = path[1:-1].flatten().numpy()
    found = optimize.minimize(energy, inner, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return torch.cat([path[:1], torch.tensor(found.x).view(-1, 3), path[-1:]])


# ---------------------------------------------------------------------------------------------
# Jets


@pytest.mark.parametrize("kind", ["cnn", "mlp"])
def test_a_jet_is_the_image_and_the_jacobian_of_torch(run: Run, kind: str) -> None:
    torch.manual_seed(0)
    shape = (1, 36, 36)
    mlp = VAE(MLPEncoder(6, (9,), shape=shape), MLPDecoder(3, (9, 7), shape=shape), 3, Bernoulli())
    trained = model() if kind == "cnn" else mlp.half().double()
    z = torch.randn(8, 3, generator=torch.Generator().manual_seed(0)).double()
    given = {"decoder": pack_decoder(trained, "float16"), "z": z.tolist()}
    program = """
        const jet = jetsOf(new Network(given.decoder));
        return given.z.map((z) => Array.from(jet(z)));"""
    found = torch.tensor(run(given, program)).view(8, -1, 4).double()
    torch.testing.assert_close(found[..., 0], trained.decode(z).flatten(1), rtol=0, atol=1e-5)
    slopes = jacobian(trained.decode, z)
    torch.testing.assert_close(found[..., 1:], slopes, rtol=0, atol=1e-4)
    assert slopes.abs().max() > 0.05


def test_a_decoder_that_has_no_jet_is_refused(run: Run) -> None:
    torch.manual_seed(0)
    flat = VAE(MLPEncoder(4, (9,)), MLPDecoder(2, (9,)), 2, Bernoulli())
    program = """
        const tries = [given.two, given.encoder].map((spec) => {
          try { jetsOf(new Network(spec)); } catch (error) { return error.message; }
        });
        return tries;"""
    said = run({"two": pack_decoder(flat), "encoder": packed()["encoder"]}, program)
    assert said == ["the decoder must take three numbers", "the decoder must take three numbers"]


def test_a_jet_of_a_heatmap_is_its_image_and_its_jacobian(run: Run) -> None:
    theta = torch.tensor([[0.3, 1.2, -0.4], [-1.5, 0.2, 1.1], [1.5, 1.5, 0.9]]).double()
    found = run(theta.tolist(), "return given.map((theta) => Array.from(heatmapJet(theta)));")
    jets = torch.tensor(found).view(3, -1, 4).double()
    torch.testing.assert_close(jets[..., 0], chart(theta).flatten(1), rtol=0, atol=1e-6)
    torch.testing.assert_close(jets[..., 1:], jacobian(chart, theta), rtol=0, atol=1e-5)


# ---------------------------------------------------------------------------------------------
# The cone


def wide(factors: np.ndarray) -> np.ndarray:
    """Heatmaps of factors [N, 3] on a frame that cuts nothing off, their norms those of L²."""
    axis = np.linspace(-16, 16, 321)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    s1, s2, rho = factors.T[:, :, None, None]
    form = x**2 / s1 - 2 * rho * x * y / np.sqrt(s1 * s2) + y**2 / s2
    return np.exp(-0.5 * form / (1 - rho**2)).reshape(len(factors), -1) * (axis[1] - axis[0])


def wide_length(factors: np.ndarray) -> float:
    steps = [np.linalg.norm(np.diff(wide(factors[i : i + 2]), axis=0)) for i in range(64)]
    return float(np.sum(steps))


@pytest.mark.parametrize("pair", PAIRS)
def test_the_cone_is_the_shortest_way_by_quadrature(run: Run, pair) -> None:
    program = """
        const cone = new Cone(...given);
        const along = (_, t) => cone.along(t / 64);
        return [cone.distance, cone.angle, cone.radii, Array.from({ length: 65 }, along)];"""
    distance, angle, radii, way = run(pair, program)
    way = np.array(way)
    np.testing.assert_allclose(way[[0, -1]], pair, rtol=1e-9)
    assert wide_length(way) == pytest.approx(distance, rel=1e-3)
    # Its places are at equal lengths.
    steps = [np.linalg.norm(np.diff(wide(way[[i, i + 1]]), axis=0)) for i in (0, 20, 40, 63)]
    assert max(steps) / min(steps) < 1.01
    # Ways beside it are longer: the same bent in each factor, to either side.
    bend = np.sin(np.linspace(0, np.pi, 65))[:, None]
    for j in range(3):
        for sign in (-1, 1):
            move = sign * 0.2 * bend * np.eye(3)[j]
            variances = way[:, :2] * np.exp(move[:, :2])
            beside = np.column_stack([variances, np.tanh(np.arctanh(way[:, 2]) + move[:, 2])])
            assert wide_length(beside) > distance * 1.0005
    assert radii == pytest.approx(
        [np.sqrt(2) * np.linalg.norm(wide(np.array([each]))) for each in pair], rel=1e-6
    )
    assert 0 < angle < math.pi


def test_the_cone_is_that_of_the_package(run: Run) -> None:
    generator = torch.Generator().manual_seed(0)
    low, high = torch.tensor([0.1, 0.1, -0.95]), torch.tensor([4.9, 4.9, 0.85])
    one, two = (low + (high - low) * torch.rand(40, 3, generator=generator) for _ in range(2))
    program = """
        return given.map(([one, two]) => {
          const cone = new Cone(one, two);
          return [cone.angle, cone.distance, cone.along(0.3)].flat();
        });"""
    found = torch.tensor(run(torch.stack([one, two], 1).tolist(), program))
    sector = cone_sector(one.double(), two.double())
    expected = torch.stack([sector.angle, sector.distance * PIXEL], 1).float()
    torch.testing.assert_close(found[:, :2], expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[:, 2:], cone_path(one, two, 11)[:, 3], rtol=1e-3, atol=1e-4)


def test_the_way_between_equals_has_no_length(run: Run) -> None:
    program = """
        const pair = start();
        pair.choose(given.one, given.one);
        settled(pair);
        return [pair.lengths, pair.at(0.5)];"""
    lengths, places = run(packed() | {"one": [1.0, 2.0, 0.5]}, program)
    assert list(lengths.values()) == pytest.approx([0] * 5, abs=1e-6)
    code = ends_of([[1.0, 2.0, 0.5]])[0].tolist()
    for place in places.values():
        assert place == pytest.approx(code, abs=1e-3)


# ---------------------------------------------------------------------------------------------
# Ways


@pytest.mark.parametrize("pair", PAIRS)
def test_the_decoders_way_is_as_short_as_scipys(run: Run, pair) -> None:
    ends = ends_of(pair)
    program = """
        const way = new Way(jetsOf(new Network(given.decoder)));
        way.begin(straight(given.ends, 24));
        return finish(way).path;"""
    path = torch.tensor(run(packed() | {"ends": ends.tolist()}, program)).double()
    torch.testing.assert_close(path[[0, -1]], ends, rtol=0, atol=1e-6)
    decode = model().decode
    line = refined(ends, 25)
    expected, found, straight = (
        length(decode(refined(each, 400))) for each in (relaxed(decode, line), path, line)
    )
    assert found == pytest.approx(expected, rel=5e-3)
    assert found < straight
    # Its places are at equal lengths, as those of least energy are.
    steps = decode(path).flatten(1).diff(dim=0).norm(dim=1)
    assert steps.max() / steps.min() < 1.3


@pytest.mark.parametrize("pair", PAIRS)
def test_the_true_way_in_the_frame_is_as_short_as_scipys(run: Run, pair) -> None:
    program = """
        const pair = start();
        pair.choose(...given.pair);
        settled(pair);
        return [pair.truth.path, pair.lengths.truth, pair.lengths.cone];"""
    path, found, cone = run(packed() | {"pair": pair}, program)
    ends = torch.tensor(pair).double()
    ends = torch.stack([ends[:, 0].log(), ends[:, 1].log(), ends[:, 2].atanh()], 1)
    torch.testing.assert_close(torch.tensor(path).double()[[0, -1]], ends, rtol=0, atol=1e-6)
    expected = relaxed(chart, refined(ends, 33))
    assert found == pytest.approx(length(chart(refined(expected, 400))), rel=2e-3)
    sector = cone_sector(*torch.tensor(pair).double()[:, None])
    assert cone == pytest.approx(sector.distance.item(), rel=1e-6)


@pytest.mark.parametrize("pair", PAIRS)
def test_lengths_and_films_are_those_of_the_package(run: Run, pair) -> None:
    program = """
        const pair = start();
        pair.choose(...given.pair);
        settled(pair);
        const frames = Object.values(pair.films).map(({ frames }) => frames.map((f) => [...f]));
        return [pair.lengths, pair.short.path, frames, pair.at(0.5), pair.encoded];"""
    lengths, path, frames, at, encoded = run(packed() | {"pair": pair}, program)
    both = heatmaps(torch.tensor(pair))
    assert lengths["chord"] == pytest.approx((both[0] - both[1]).norm().item(), rel=1e-5)
    line = refined(ends_of(pair), 400)
    assert lengths["line"] == pytest.approx(length(model().decode(line)), rel=3e-3)
    short = refined(torch.tensor(path).double(), 400)
    assert lengths["short"] == pytest.approx(length(model().decode(short)), rel=3e-3)
    assert lengths["chord"] < lengths["truth"] < lengths["cone"]
    for film in torch.tensor(frames):
        # Chords of an eighth of the way each: equal but for the bends between them.
        chords = film.diff(dim=0).norm(dim=1)
        assert chords.max() / chords.min() < 1.35
    shown = torch.tensor(frames[0])[[0, -1]]
    torch.testing.assert_close(shown, both.flatten(1).float(), rtol=0, atol=1e-5)
    halves = model().decode(torch.tensor([at["line"], at["short"]]).double()).flatten(1)
    for way, half in zip((2, 1), halves, strict=True):
        torch.testing.assert_close(torch.tensor(frames[way][4]).double(), half, rtol=0, atol=0.2)
    assert encoded[-1] == pytest.approx(ends_of(pair)[1].tolist(), abs=1e-3)


def test_a_way_that_was_pulled_there_is_as_short_as_one_from_the_line(run: Run) -> None:
    program = """
        const pair = start();
        const [one, two] = given.from;
        pair.choose(one, two);
        settled(pair);
        for (let k = 1; k <= 30; k++) {
          pair.choose(one, two.map((value, j) => value + (k / 30) * (given.to[j] - value)));
          for (let slice = 0; slice < 12; slice++) pair.advance(performance.now() + 1, true);
        }
        settled(pair);
        const fresh = start();
        fresh.choose(one, given.to);
        return [pair.lengths, settled(fresh).lengths];"""
    given = packed() | {"from": PAIRS[0], "to": [4.0, 4.0, -0.8]}
    pulled, fresh = run(given, program)
    assert pulled == pytest.approx(fresh, rel=2e-3)
    assert fresh["line"] > 1.02 * fresh["short"]


def test_a_film_has_its_images_at_equal_lengths(run: Run) -> None:
    program = """
        const images = given.map((x) => Float32Array.of(x, 0));
        const film = new Film(images, 5);
        const at = [0, 0.375, 1].map((share) => film.at(share));
        return [film.length, film.frames.map(([x]) => x), ...at];"""
    places = [0.0, 0.1, 0.2, 0.3, 0.4, 1.0, 2.0, 3.0, 4.0]
    found, frames, first, part, last = run(places, program)
    assert found == pytest.approx(4)
    assert frames == pytest.approx([0, 1, 2, 3, 4])
    assert (first, last) == pytest.approx((0, 1))
    assert part == pytest.approx((5 + 0.5) / 8)


# ---------------------------------------------------------------------------------------------
# The ellipse


def test_a_step_to_the_rim_of_the_ellipse_changes_the_image_by_one(run: Run) -> None:
    z = torch.tensor([[0.1, -0.4, 0.3], [-0.5, 0.2, -0.8]]).double()
    program = """
        const jet = jetsOf(new Network(given.decoder));
        return given.z.map((z) => {
          const plane = Object.create(Slice.prototype);
          plane.frame = { middle: z, axes: given.axes, half: 0.7 };
          const metric = metricOf(jet(z));
          return [[...metric], plane.ellipse([0, 0], metric).map((place) => plane.deep(place))];
        });"""
    axes = torch.linalg.qr(torch.randn(3, 2, generator=torch.Generator().manual_seed(1)))[0]
    found = run(packed() | {"z": z.tolist(), "axes": axes.T.tolist()}, program)
    slopes = jacobian(model().decode, z)
    longest = []
    for (metric, rim), place, slope in zip(found, z, slopes, strict=True):
        metric = torch.tensor(metric).view(3, 3).double()
        torch.testing.assert_close(metric, slope.T @ slope, rtol=1e-3, atol=1e-2)
        steps = torch.tensor(rim).double() - place
        norms = (steps @ slope.T).norm(dim=1)
        torch.testing.assert_close(norms, torch.ones(73).double(), rtol=0, atol=1e-3)
        longest.append((steps.norm(dim=1).max() / steps.norm(dim=1).min()).item())
        # In the plane: nothing is left beside both axes.
        out = steps - steps @ axes.double() @ axes.double().T
        assert out.abs().max() < 1e-6
    assert max(longest) > 1.2


def test_the_plane_holds_both_codes_and_leans_towards_the_third_place(run: Run) -> None:
    program = """
        const plane = Object.create(Slice.prototype);
        plane.places = Float32Array.from(given.codes.flat());
        plane.shown = new Float32Array(2 * given.codes.length);
        plane.turn(given.ends, given.third, given.seen);
        const { axes, half } = plane.frame;
        return [axes, half, given.ends.map((z) => plane.flat(z)),
          given.seen.map((z) => plane.deep(plane.flat(z))), [...plane.shown]];"""
    ends = [[0.0, 1.0, -1.0], [1.0, -1.0, 0.5]]
    third = [0.9, 1.1, 0.4]
    codes = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    given = {"ends": ends, "third": third, "seen": [*ends, third], "codes": codes.tolist()}
    axes, half, flat, deep, shown = run(given, program)
    axes = torch.tensor(axes)
    torch.testing.assert_close(axes @ axes.T, torch.eye(2), rtol=0, atol=1e-6)
    assert flat[0] == pytest.approx([-flat[1][0], 0], abs=1e-6)
    assert deep[:2] == [pytest.approx(end, abs=1e-6) for end in ends]
    assert deep[2] == pytest.approx(third, abs=0.05)  # it leans a little to the side, to be steady
    middle = torch.tensor(ends).mean(0)
    torch.testing.assert_close(
        torch.tensor(shown).view(20, 2), (codes - middle) @ axes.T / half, rtol=0, atol=1e-5
    )


# ---------------------------------------------------------------------------------------------
# What Python hands over


def test_the_page_gets_the_codes_of_heatmaps_of_all_factors() -> None:
    figure = live.shortest_ways(model(), alt="Three ways.")
    extent = figure.config["extent"]
    numbers = np.frombuffer(base64.b64decode(figure.config["codes"]), "<u2").astype(float)
    found = torch.tensor(extent * (numbers / 32767.5 - 1)).view(-1, 3)
    axes = [torch.linspace(0.1, 4.9, 12), torch.linspace(0.1, 4.9, 12)]
    axes.append(torch.linspace(-0.95, 0.85, 14))
    expected = model().codes(heatmaps(torch.cartesian_prod(*axes))).mu
    torch.testing.assert_close(found, expected.double(), rtol=0, atol=extent / 60000)
    assert set(figure.models) == {figure.config["encoder"], figure.config["decoder"]}
    assert len(figure.pictures) == 2
    assert figure.bounds == 2 * [(0.1, 4.9), (0.1, 4.9), (-0.95, 0.85)]


def test_a_model_or_factors_that_the_figure_cannot_show_are_refused() -> None:
    flat = VAE(MLPEncoder(4, (9,)), MLPDecoder(2, (9,)), 2, Bernoulli())
    with pytest.raises(
        ValueError, match=r"three dimensions to \[1, 36, 36\], got \[2\] and \[1, 28"
    ):
        live.shortest_ways(flat, alt="x")
    with pytest.raises(ValueError, match="start must be a sequence of 6 finite numbers"):
        live.shortest_ways(model(), alt="x", start=[1.0, 1.0, 0.0])
    with pytest.raises(ValueError, match=r"its corr, must be .*\[-0.95, 0.85\], got 0.9"):
        live.shortest_ways(model(), alt="x", start=[1.0, 1.0, 0.0, 1.0, 1.0, 0.9])
    with pytest.raises(ValueError, match=r"its var_y, must be .*\[0.1, 4.9\], got 5"):
        live.shortest_ways(model(), alt="x", start=[1.0, 5.0, 0.0, 1.0, 1.0, 0.0])
