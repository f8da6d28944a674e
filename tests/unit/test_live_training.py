"""The training that runs on the page, in node, against torch in double precision."""

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from vaebook.live import pictures
from vaebook.live.bundle import bundle

pytestmark = pytest.mark.slow

DIGITS = torch.tensor(load_digits().images, dtype=torch.float64).flatten(1) / 16
BATCH = 64


class Reference(nn.Module):
    """The same network by torch's own layers, in its own order."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, hidden), nn.Tanh(), nn.Linear(hidden, 4))
        self.decoder = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 64))
        self.double()

    def terms(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruction and KL, nats per image."""
        mu, logvar = self.encoder(x).chunk(2, 1)
        logits = self.decoder(mu + (logvar / 2).exp() * noise)
        lost = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum()
        return lost / len(x), kl / len(x)

    @property
    def flat(self) -> Tensor:
        return torch.cat([p.detach().flatten() for p in self.parameters()])


def encoded(values: Tensor) -> str:
    return base64.b64encode(values.numpy().astype("<f4").tobytes()).decode()


TOOLS = """
const decode = (text) => new Float32Array(new Uint8Array(Buffer.from(text, "base64")).buffer);
const encode = (values) => Buffer.from(Float32Array.from(values).buffer).toString("base64");
"""


def run(node: Callable[[str], str], given: Any, program: str, entry: str = "training.js") -> Any:
    """What a program prints as JSON, which knows what is given and the modules of an entry."""
    script = f"{bundle(entry)}\n{TOOLS}\nconst given = {json.dumps(given)};\n"
    return json.loads(node(f"{script}console.log(JSON.stringify((() => {{ {program} }})()));\n"))


def decoded(text: str) -> Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").astype(np.float64))


@pytest.mark.parametrize("hidden", [8, 32, 64])
@pytest.mark.parametrize(
    ("beta", "noisy"), [(1.0, True), (4.0, True), (0.0, True), (0.0, False), (0.5, False)]
)
def test_gradients_are_torchs(node, hidden: int, beta: float, noisy: bool) -> None:
    torch.manual_seed(0)
    model = Reference(hidden)
    x, noise = DIGITS[:BATCH], torch.randn(BATCH, 2, dtype=torch.float64)
    given = {
        "weights": encoded(model.flat),
        "x": encoded(x),
        "noise": encoded(noise),
        "settings": [hidden, beta, noisy],
    }
    program = """
        const [hidden, beta, noisy] = given.settings;
        const vae = new VAE(64, hidden);
        vae.weights.set(decode(given.weights));
        vae.x.data.set(decode(given.x));
        vae.noise.data.set(decode(given.noise));
        vae.evaluate(beta, noisy);
        return [vae.terms, encode(vae.gradient)];"""
    terms, gradient = run(node, given, program, "vae.js")
    reconstruction, kl = model.terms(x, noise * noisy)
    (reconstruction + beta * kl).backward()
    assert terms["reconstruction"] == pytest.approx(reconstruction.item(), abs=1e-5)
    assert terms["kl"] == pytest.approx(kl.item(), abs=1e-5)
    expected = torch.cat([p.grad.flatten() for p in model.parameters()])
    torch.testing.assert_close(decoded(gradient), expected, rtol=0, atol=1e-5)
    assert expected.abs().max() > 0.1


@pytest.mark.parametrize(("beta", "noisy"), [(1.0, True), (4.0, True), (0.0, False)])
def test_a_run_of_a_hundred_steps_is_torchs(node, beta: float, noisy: bool) -> None:
    """With the same weights, batches and noise handed over: weights and losses to 1e-3."""
    torch.manual_seed(1)
    model = Reference(32)
    steps, rate = 100, 0.01
    batches = torch.cat([torch.randperm(len(DIGITS)) for _ in range(4)])[: steps * BATCH]
    noise = torch.randn(steps * BATCH, 2, dtype=torch.float64)
    given = {
        "weights": encoded(model.flat),
        "images": encoded(DIGITS),
        "batches": batches.tolist(),
        "noise": encoded(noise),
        "settings": [beta, noisy, rate],
    }
    program = """
        const [beta, noisy, rate] = given.settings;
        const [images, noise] = [decode(given.images), decode(given.noise)];
        const vae = new VAE(64, 32);
        vae.weights.set(decode(given.weights));
        const losses = [];
        for (let first = 0; first < given.batches.length; first += BATCH) {
          for (let row = 0; row < BATCH; row++) {
            const at = 64 * given.batches[first + row];
            vae.x.data.set(images.subarray(at, at + 64), 64 * row);
          }
          vae.noise.data.set(noise.subarray(2 * first, 2 * (first + BATCH)));
          vae.evaluate(beta, noisy);
          vae.descend(rate);
          losses.push(vae.terms.reconstruction + beta * vae.terms.kl);
        }
        return [losses, encode(vae.weights)];"""
    losses, weights = run(node, given, program, "vae.js")
    start = model.flat
    optimizer = torch.optim.Adam(model.parameters(), rate)
    expected = []
    for rows, drawn in zip(batches.split(BATCH), noise.split(BATCH), strict=True):
        reconstruction, kl = model.terms(DIGITS[rows], drawn * noisy)
        optimizer.zero_grad()
        (reconstruction + beta * kl).backward()
        optimizer.step()
        expected.append((reconstruction + beta * kl).item())
    assert losses == pytest.approx(expected, abs=1e-3)
    torch.testing.assert_close(decoded(weights), model.flat, rtol=0, atol=1e-3)
    assert (model.flat - start).abs().max() > 0.2


TRAIN = """
    const images = decode(given.images);
    const training = new Training(images, 64);
    const learn = (settings, epochs) => {
      const end = training.epochs + epochs;
      while (training.epochs < end) training.step(settings);
    };"""


def test_an_autoencoder_is_one_switch(node) -> None:
    """Without noise beta has no say, and the variances get no gradient."""
    program = f"""{TRAIN}
        return [0, 1, 4].map((beta) => {{
          training.start(16, 0);
          const before = encode(training.vae.w.A.data);
          learn({{ beta, noise: false, rate: 0.01 }}, 3);
          return [before, encode(training.vae.w.A.data), encode(training.vae.weights),
            training.history.price];
        }});"""
    runs = run(node, {"images": encoded(DIGITS)}, program)
    for before, after, weights, price in runs:
        assert weights == runs[0][2]
        assert price == [0, 0, 0]
        old, new = decoded(before).view(4, 16), decoded(after).view(4, 16)
        assert torch.equal(new[2:], old[2:])
        assert (new[:2] - old[:2]).abs().max() > 0.05


def test_each_epoch_sees_each_image_once_and_all_batches_have_one_size(node) -> None:
    program = f"""{TRAIN}
        training.start(8, 3);
        const seen = [];
        while (seen.length < 3 * training.n) {{
          training.step({{ beta: 1, noise: true, rate: 0.01 }});
          seen.push(...training.batch);
        }}
        return seen;"""
    seen = torch.tensor(run(node, {"images": encoded(DIGITS)}, program))
    first, second, third = seen[: 3 * len(DIGITS)].view(3, -1)
    for order in (first, second, third):
        assert torch.equal(order.sort().values, torch.arange(len(DIGITS)))
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)


def test_a_seed_repeats_a_run_and_another_does_not(node) -> None:
    program = f"""{TRAIN}
        return [2, 2, 5].map((seed) => {{
          training.start(16, seed);
          learn({{ beta: 1, noise: true, rate: 0.01 }}, 2);
          return encode(training.vae.weights);
        }});"""
    first, again, other = run(node, {"images": encoded(DIGITS)}, program)
    assert first == again != other


def test_the_loss_counts_from_what_grey_pixels_allow_to_the_mean_image(node) -> None:
    """An epoch with a rate of zero, whose two parts torch takes with the same weights."""
    program = f"""{TRAIN}
        training.start(32, 0);
        learn({{ beta: 1, noise: false, rate: 0.01 }}, 2);
        learn({{ beta: 2, noise: false, rate: 0 }}, 2);
        const last = training.history.pixels.at(-1);
        return [training.ceiling, last, training.history.kl.at(-1), encode(training.codes),
          encode(training.vae.weights)];"""
    ceiling, lost, kl, codes, weights = run(node, {"images": encoded(DIGITS)}, program)
    entropy = functional.binary_cross_entropy(DIGITS, DIGITS, reduction="sum") / len(DIGITS)
    mean = DIGITS.mean(0).expand_as(DIGITS)
    worst = functional.binary_cross_entropy(mean, DIGITS, reduction="sum") / len(DIGITS)
    assert ceiling == pytest.approx((worst - entropy).item(), abs=1e-5)
    model = Reference(32)
    nn.utils.vector_to_parameters(decoded(weights), model.parameters())
    with torch.no_grad():
        reconstruction, expected = model.terms(DIGITS, torch.zeros(len(DIGITS), 2))
        torch.testing.assert_close(
            decoded(codes).view(-1, 4), model.encoder(DIGITS), rtol=0, atol=1e-4
        )
    # The batches of an epoch reach into the next one, by at most 63 images.
    assert lost == pytest.approx((reconstruction - entropy).item(), abs=0.05)
    assert kl == pytest.approx(expected.item(), rel=0.02)


def test_matrices_multiply_as_numpys_do(node) -> None:
    generator = np.random.default_rng(0)
    jobs, expected = [], []
    for rows, inner, columns in [(4, 1, 2), (8, 3, 4), (64, 64, 32), (4, 64, 2)]:
        a, b = generator.normal(size=(rows, inner)), generator.normal(size=(inner, columns))
        jobs.append([rows, inner, columns, a.ravel().tolist(), b.ravel().tolist()])
        expected.append(a @ b)
    program = """
        return given.map(([rows, inner, columns, a, b]) => {
          const out = () => new Matrix(rows, columns);
          const [left, right] = [new Matrix(rows, inner), new Matrix(inner, columns)];
          left.data.set(a);
          right.data.set(b);
          // The transposes of matrices that are laid out the other way give the same product.
          const turn = ({ rows, columns, data }) => new Matrix(columns, rows,
            Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]));
          return [[left, right], [turn(left).transposed, turn(right).transposed]].map((pair) => {
            const product = out();
            multiply(product, ...pair);
            return [...product.data];
          });
        });"""
    for found, wanted in zip(run(node, jobs, program, "matrix.js"), expected, strict=True):
        for product in found:
            np.testing.assert_allclose(np.reshape(product, wanted.shape), wanted, atol=1e-4)


@pytest.mark.parametrize("white", [1, 16, 31])
def test_five_bits_hold_grey_levels_exactly(node, white: int) -> None:
    generator = np.random.default_rng(white)
    for n in (1, 7, 64, 1001):
        levels = generator.integers(0, white + 1, n)
        levels[0] = white
        found, text = pictures.five_bits(torch.tensor(levels) / white)
        read = run(node, text, "return [...fiveBitsOf(given)];", "bytes.js")
        np.testing.assert_array_equal(np.array(read[:n]) * white / found, levels)
        assert len(read) - n in range(5)


def test_the_digits_are_exact_in_less_than_a_hundred_kilobytes() -> None:
    white, text = pictures.five_bits(DIGITS)
    assert white == 16
    assert len(text) < 100_000


def test_other_greys_are_off_by_half_a_level() -> None:
    images = torch.rand(1000, generator=torch.Generator().manual_seed(0))
    white, text = pictures.five_bits(images)
    bits = np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8))[:5000].reshape(-1, 5)
    read = bits @ np.array([16, 8, 4, 2, 1]) / white
    assert white == 31
    assert np.abs(read - images.numpy()).max() <= 0.5 / 31 + 1e-6


@pytest.mark.parametrize("anew", [pytest.param(True, marks=pytest.mark.weekly), False])
def test_the_things_to_try_on_the_home_page_happen(node, anew: bool) -> None:
    """Set at the start, as by a link that is opened, or after 40 epochs, as by a dial."""
    program = f"""{TRAIN}
        const codes = () => {{
          training.encode();
          return encode(training.codes);
        }};
        return [0, 1, 2].map((seed) => {{
          const plain = {{ beta: 1, noise: true, rate: 0.01 }};
          const begin = () => {{
            training.start(32, seed);
            if (!given.anew) learn(plain, 40);
          }};
          const runs = {{}};
          const note = (name) => {{
            const [pixels, price] = ["pixels", "price"].map((k) => training.history[k].at(-1));
            runs[name] = {{ codes: codes(), pixels, loss: pixels + price }};
          }};
          training.start(32, seed);
          learn(plain, 40);
          note("vae");
          begin();
          learn({{ ...plain, noise: false }}, 40);
          note("autoencoder");
          begin();
          learn({{ ...plain, beta: 4 }}, 10);
          note("collapsed");
          learn(plain, 10);
          note("back");
          return runs;
        }});"""
    found = run(node, {"images": encoded(DIGITS), "anew": anew}, program)
    beyond = {
        name: [
            (decoded(runs[name]["codes"]).view(-1, 4)[:, :2].norm(dim=1) > 3).double().mean()
            for runs in found
        ]
        for name in ("vae", "autoencoder")
    }
    assert max(beyond["vae"]) < 0.01 < 0.05 < min(beyond["autoencoder"])
    for runs in found:
        assert runs["autoencoder"]["pixels"] < runs["vae"]["pixels"] - 1
        middle = decoded(runs["collapsed"]["codes"]).view(-1, 4)[:, :2].norm(dim=1)
        assert (middle < 0.5).double().mean() > 0.99
        assert decoded(runs["back"]["codes"]).view(-1, 4)[:, :2].std() > 0.8
    losses = [runs["vae"]["loss"] for runs in found]
    assert max(losses) - min(losses) < 0.3
