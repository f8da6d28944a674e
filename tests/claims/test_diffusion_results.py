"""The results of the chapter on diffusion in a latent space."""

import math

import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from vaebook import tables
from vaebook.latent.diffusion import (
    NoisedMixture,
    Process,
    bound,
    guided,
    sample_ode,
    sample_sde,
)

PROCESS = Process()
TIMES = (0.05, 0.3, 0.5, 0.8)


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def levels(t: float) -> tuple[Tensor, Tensor]:
    time = torch.tensor(t, dtype=torch.float64)
    return PROCESS.alpha(time), PROCESS.sigma(time)


def a_mixture() -> tuple[Tensor, Tensor, Tensor]:
    weights = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    return 2 * draw(3, 2), 0.5 * draw(3, 2, seed=1) - 1, weights


def normals(mu: Tensor, variance: Tensor, weights: Tensor) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(weights), Independent(Normal(mu, variance.sqrt()), 1))


# ---------------------------------------------------------------------------------------------
# The exact field


@pytest.mark.slow
def test_prop_diffusion_score() -> None:
    """By torch's own mixture and autograd, and by weighted draws of the code; four errors."""
    mu, logvar, weights = a_mixture()
    field = NoisedMixture(mu, logvar, weights)
    codes = normals(mu, logvar.exp(), weights)
    torch.manual_seed(0)
    z0 = codes.sample((100_000,))
    for t in TIMES:
        alpha, sigma = levels(t)
        z = (alpha * z0[:4] + sigma * draw(4, 2, seed=2)).requires_grad_()
        noisy = normals(alpha * mu, alpha**2 * logvar.exp() + sigma**2, weights)
        (score,) = torch.autograd.grad(noisy.log_prob(z).sum(), z)
        best = field(z.detach(), t)
        torch.testing.assert_close(best, -sigma * score)
        # E[epsilon | z] as a mean over codes, weighted by how well they explain z.
        for place, expected in zip(z.detach(), best, strict=True):
            noise = (place - alpha * z0) / sigma
            share = (-0.5 * noise.square().sum(1)).softmax(0)
            error = (share[:, None].square() * (noise - expected).square()).sum(0).sqrt()
            assert (((share @ noise) - expected).abs() < 4 * error + 1e-9).all()

    # The loss of another field is the best loss and the squared distance from the best field.
    alpha, sigma = levels(0.3)
    noise = draw(100_000, 2, seed=3)
    z = alpha * z0 + sigma * noise
    best, other = field(z, 0.3), 0.7 * z
    cross = ((noise - best) * (best - other)).sum(1)
    assert cross.mean().abs() < 4 * cross.std() / len(cross) ** 0.5
    assert (best - other).square().sum(1).mean() > 0.1


@pytest.mark.slow
def test_prop_diffusion_memory() -> None:
    points = draw(6, 3)
    field = NoisedMixture(points, None)
    # 1. Averaged over the points, another field has a larger loss by their squared distance.
    for t in TIMES:
        alpha, sigma = levels(t)
        noise = draw(60_000, 3, seed=4)
        z = alpha * points.repeat(10_000, 1) + sigma * noise
        best = field(z, t)
        for other in (0.9 * best, best + 0.1, NoisedMixture(points[:5], None)(z, t)):
            gain = (noise - other).square().sum(1) - (noise - best).square().sum(1)
            assert gain.mean() > 4 * gain.std() / len(gain) ** 0.5
    # 2. Both samplers end at the points, with the noise of time 0.
    alpha, sigma = levels(0.0)
    start = draw(300, 3, seed=5)
    stream = torch.Generator().manual_seed(6)
    for end in (sample_sde(field, start, 200, generator=stream), sample_ode(field, start, 200)):
        nearest = torch.cdist(end, alpha * points).amin(1)
        # Three dimensions: once in ten million beyond 6.
        assert nearest.max() < 6.5 * sigma
        assert torch.cdist(end, alpha * points).argmin(1).unique().numel() == 6
    # 3. The bound, wherever one point is nearer than the others.
    for t in TIMES:
        alpha, sigma = levels(t)
        z = draw(500, 3, seed=7)
        believed = (z - sigma * field(z, t)) / alpha
        square = torch.cdist(z / alpha, points).square()
        closest, second = square.topk(2, largest=False).values.T
        j = square.argmin(1)
        widest = torch.cdist(points, points)[j].amax(1)
        factor = (-(second - closest) * (alpha / sigma) ** 2 / 2).exp()
        assert ((believed - points[j]).norm(dim=1) <= 5 * factor * widest + 1e-9).all()


# ---------------------------------------------------------------------------------------------
# The bound


@pytest.mark.slow
def test_prop_diffusion_vae() -> None:
    # 1. The posterior of a step, by the conditional of the joint normal density given y.
    y, s, t = 0.7, 0.4, 0.5
    (a_s, s_s), (a_t, s_t) = levels(s), levels(t)
    ratio = a_t / a_s
    joint = torch.stack([s_s**2, ratio * s_s**2, ratio * s_s**2, s_t**2]).view(2, 2)
    z_t = torch.tensor(-0.3, dtype=torch.float64)
    mean = a_s * y + joint[0, 1] / joint[1, 1] * (z_t - a_t * y)
    variance = joint[0, 0] - joint[0, 1] ** 2 / joint[1, 1]
    c = 1 - (PROCESS.log_snr(torch.tensor(t)) - PROCESS.log_snr(torch.tensor(s))).exp()
    assert float(a_s / a_t * (1 - c) * z_t + a_s * c * y) == pytest.approx(float(mean), abs=1e-6)
    assert float(s_s**2 * c) == pytest.approx(float(variance), rel=1e-5)

    # 2. One step's KL is that of two normal densities with another code believed in.
    believed = 0.2
    shift = a_s * c * (y - believed)
    epsilon, hat = (z_t - a_t * y) / s_t, (z_t - a_t * believed) / s_t
    gap = (PROCESS.first - PROCESS.last) * (t - s)
    expected = 0.5 * math.expm1(gap) * (epsilon - hat) ** 2
    assert float(shift**2 / (2 * variance)) == pytest.approx(float(expected), rel=1e-5)

    # 3. For normal codes and the exact field: the gap, in closed form, in the limit.
    v = 2.0
    field = NoisedMixture(torch.zeros(1, 1), torch.full((1, 1), math.log(v)))
    codes = math.sqrt(v) * draw(20_000, 1, seed=8)
    terms = bound(field, codes, 400, continuous=True, generator=torch.Generator().manual_seed(0))
    (a_0, s_0), (a_1, s_1) = levels(0.0), levels(1.0)
    end = a_1**2 * v + s_1**2
    first = 0.5 * (end - 1 - end.log())
    noise = (s_0 / a_0) ** 2
    posterior = 1 / (1 / v + 1 / noise)
    # KL of N(m, posterior) from N(z_0 / alpha_0, noise), whose means differ by shrinking.
    apart = noise**2 / (v + noise)
    last = 0.5 * (posterior / noise + apart / noise - 1 - (posterior / noise).log())
    entropy = 0.5 * math.log(2 * math.pi * math.e * v)
    found = terms.total - entropy
    error = terms.total.std() / len(codes) ** 0.5
    assert abs(float(found.mean() - first - last)) < 4 * float(error)
    coarse = bound(field, codes, 5, generator=torch.Generator().manual_seed(1)).total.mean()
    assert coarse - entropy > 0.5


def test_the_integral_over_the_ratio_is_information() -> None:
    """Of the channel from a normal code: log(1 + v snr) / 2, by quadrature of the exact loss."""
    v = 3.0
    ratios = torch.linspace(-9, 9, 20_001, dtype=torch.float64)
    snr = ratios.exp()
    loss = v * snr / (1 + v * snr)  # E|eps - eps*|^2 of N(0, v)
    information = 0.5 * (1 + v * snr).log()
    found = 0.5 * torch.trapezoid(loss, ratios)
    assert float(found) == pytest.approx(float(information[-1] - information[0]), abs=1e-6)


# ---------------------------------------------------------------------------------------------
# Ways back


@pytest.mark.slow
def test_prop_diffusion_ways() -> None:
    """Euler's steps for three amounts of noise, Kolmogorov and Smirnov: by chance once in 10^5."""
    mu = torch.tensor([[-1.5], [1.0]], dtype=torch.float64)
    logvar = torch.tensor([[-2.0], [-1.0]], dtype=torch.float64)
    weights = torch.tensor([0.4, 0.6], dtype=torch.float64)
    field = NoisedMixture(mu, logvar, weights)
    steps, drop = 400, PROCESS.first - PROCESS.last

    def cdf_at(t: float):
        alpha, sigma = levels(t)
        spread = (alpha**2 * logvar.exp() + sigma**2).sqrt()[:, 0]
        return lambda x: sum(
            w * stats.norm.cdf(x, alpha * m, s)
            for w, m, s in zip(weights.numpy(), mu[:, 0].numpy(), spread.numpy(), strict=True)
        )

    for eta in (0.0, 1.0, 3.0):
        z = draw(2000, 1, seed=9)
        seen = {}
        for i in range(steps, 0, -1):
            t = i / steps
            _, sigma = levels(t)
            beta = drop * sigma**2 / steps
            score = -field(z, t) / sigma
            kick = (eta * beta).sqrt() * draw(2000, 1, seed=10 + i)
            z = z + 0.5 * beta * (z + (1 + eta) * score) + kick
            if i - 1 in (steps // 2, steps // 10):
                seen[(i - 1) / steps] = z
        for t, at in seen.items():
            found = stats.kstest(at[:, 0].numpy(), cdf_at(t))
            assert found.pvalue > 1e-5, (eta, t, found)
        # What would be wrong with the score's factor of the flow.
    z = draw(2000, 1, seed=9)
    for i in range(steps, steps // 10, -1):
        _, sigma = levels(i / steps)
        beta = drop * sigma**2 / steps
        kick = beta.sqrt() * draw(2000, 1, seed=10 + i)
        z = z + 0.5 * beta * (z - field(z, i / steps) / sigma) + kick
    assert stats.kstest(z[:, 0].numpy(), cdf_at(0.1)).pvalue < 1e-5


# ---------------------------------------------------------------------------------------------
# Scale and guidance


@pytest.mark.parametrize("c", [0.1, 0.5, 10.0])
def test_prop_diffusion_scale(c: float) -> None:
    mu, logvar, weights = a_mixture()
    shift = 2 * math.log(c)
    there = Process(PROCESS.first + shift, PROCESS.last + shift)
    plain = NoisedMixture(mu, logvar, weights, process=there)
    scaled = NoisedMixture(c * mu, logvar + shift, weights)
    codes = normals(mu, logvar.exp(), weights)
    torch.manual_seed(1)
    z0, noise = codes.sample((5000,)), draw(5000, 2, seed=11)
    for t in TIMES:
        alpha, sigma = levels(t)
        k = (c**2 * alpha**2 + sigma**2).sqrt()
        z = alpha * c * z0 + sigma * noise
        torch.testing.assert_close(scaled(z, t), plain(z / k, t), atol=1e-6, rtol=1e-6)
        # The same codes and noise, so the same losses, one by one.
        time = torch.tensor(t, dtype=torch.float64)
        torch.testing.assert_close(there.noised(z0, t, noise), z / k)
        assert float(there.log_snr(time)) == pytest.approx(
            float(PROCESS.log_snr(time)) + shift, abs=1e-5
        )


def one(mean: float, variance: float) -> NoisedMixture:
    shape = (1, 1)
    return NoisedMixture(
        torch.full(shape, mean, dtype=torch.float64),
        torch.full(shape, math.log(variance), dtype=torch.float64),
    )


def test_prop_diffusion_guidance() -> None:
    z = torch.linspace(-4, 4, 9, dtype=torch.float64)[:, None]
    m, centre, w = 1.5, 0.5, 2.0
    pushed = one(m + w * (m - centre), 0.3)
    field = guided(one(m, 0.3), one(centre, 0.3), w)
    for t in TIMES:
        torch.testing.assert_close(field(z, t), pushed(z, t))

    for v, wide in ((0.3, 1.0), (0.3, 0.25)):
        field = guided(one(m, v), one(centre, wide), w)
        precision = (1 + w) / v - w / wide
        assert precision > 0
        tilted = one(0.0, 1 / precision)

        def slope(field, t):
            return float((field(z[1:], t) - field(z[:-1], t)).mean())

        for t in TIMES:
            assert slope(field, t) > slope(tilted, t) * (1 + 1e-6), (v, wide, t)

    # Steeper than the noise alone, as the field of no codes is.
    field = guided(one(m, 0.01), one(centre, 1.0), w)
    _, sigma = levels(0.5)
    assert slope(field, 0.5) > 1 / sigma > slope(one(m, 1e-9), 0.5)


# ---------------------------------------------------------------------------------------------
# The study


def test_the_table_has_all_seeds_and_controls_that_could_have_failed() -> None:
    study = tables.load("latent_diffusion")
    ratios = study.about["ratios"]
    for dim in (2, 16):
        rows = study.where(part="fields", dim=dim)
        assert [row["seed"] for row in rows] == list(range(10))
        for row in rows:
            # The threshold is the per cent of the other half.
            assert 0.003 < row["copies_control"] < 0.03
            # On its own codes the exact field has the least loss, wherever it can be told.
            for i in range(ratios.index(2.0) + 1):
                assert row["own_posteriors"][i] < row["own_learned"][i]
            assert row["frechet"]["images"] < row["frechet"]["floor"]
            assert row["frechet"]["floor"] < row["frechet"]["normal"]


def test_the_intervals_of_the_study_are_those_of_its_rows() -> None:
    study = tables.load("latent_diffusion")
    rows = study.where(part="fields", dim=16)
    gaps = [
        min(row["frechet"]["sde"], row["frechet"]["ode"]) - row["frechet"]["mixture"]
        for row in rows
    ]
    expected = stats.t.interval(0.95, len(gaps) - 1, sum(gaps) / len(gaps), stats.sem(gaps))
    assert study.summary["mixture_beats_learned_16"] == pytest.approx(expected, rel=1e-3)


def test_the_intervals_of_the_controls_are_those_of_their_rows() -> None:
    study = tables.load("latent_diffusion")
    rows = study.where(part="longer")
    assert [row["seed"] for row in rows] == list(range(10))
    gaps = {
        "longer_mixture_16": [
            min(row["frechet"]["longer"].values()) - row["frechet"]["mixture"] for row in rows
        ],
        "longer_helps_16": [
            min(row["frechet"]["learned"].values()) - min(row["frechet"]["longer"].values())
            for row in rows
        ],
    }
    for dim in (2, 8, 20):
        there = [row["frechet"] for row in study.where(part="others", dim=dim)]
        assert len(there) == 10
        for row in there:
            assert row["images"] < row["floor"] < row["normal"]
        gaps[f"others_mixture_{dim}"] = [
            min(row["sde"], row["ode"]) - row["mixture"] for row in there
        ]
    for name, values in gaps.items():
        expected = stats.t.interval(0.95, 9, sum(values) / 10, stats.sem(values))
        assert study.summary[name] == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_the_denoisers_of_the_control_learn_the_same_codes_and_are_seen_with_the_same_noise() -> (
    None
):
    study = tables.load("latent_diffusion")
    at_most_noise = study.about["ratios"].index(-2.0)
    for row in study.where(part="longer"):
        losses = [row[f"loss_{name}"][at_most_noise] for name in ("mixture", "learned", "longer")]
        # Where nearly all is noise every decent field has the loss of the noise that was drawn.
        assert max(losses) - min(losses) < 0.01


def test_sentences_on_the_winner_agree_with_the_table() -> None:
    study = tables.load("latent_diffusion")
    assert study.summary["mixture_beats_learned_16"][0] > 0
    assert study.summary["longer_mixture_16"][1] < 0
    assert study.summary["longer_helps_16"][0] > 0
    found = [row["frechet"] for row in study.where(part="longer")]
    by_sde = [each["longer"]["sde"] - each["mixture"] for each in found]
    assert stats.t.interval(0.95, 9, sum(by_sde) / 10, stats.sem(by_sde))[1] < 0
    for dim in (2, 8, 20):
        assert study.summary[f"others_mixture_{dim}"][0] > 0
    # Both changes help alone; copies are few; of a mixture of 200 it is undecided.
    assert study.summary["width_helps_16"][0] > 0
    assert study.summary["steps_help_16"][0] > study.summary["width_helps_16"][1]
    assert study.summary["longer_copies_16"][1] < 0.01
    low, high = study.summary["longer_larger_16"]
    assert low < 0 < high
    larger = [each["mixture_200"] - min(each["longer"].values()) for each in found]
    expected = stats.t.interval(0.95, 9, sum(larger) / 10, stats.sem(larger))
    assert (low, high) == pytest.approx(expected, rel=1e-3, abs=1e-3)
