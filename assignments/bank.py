"""Answers with known marks: right ones in other styles, and what typically goes wrong.

Each takes the place of the master's solution in the cells that it names. A right answer keeps all
points; a wrong one loses exactly the tests that are listed with it. Where later parts call an
earlier function, its fault costs their tests too, as it would in a student's notebook.
"""

__all__ = ["RIGHT", "WRONG", "Answer"]

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """Sources by the name of their cell, and the tests that fail with them."""

    title: str
    assignment: str
    sources: dict[str, str]
    fails: tuple[str, ...] = field(default=())


_ELBO, _MIXTURES, _PCN, _HEATMAPS, _BETA = (
    "1_elbo",
    "2_mixtures",
    "3_pcn",
    "4_heatmaps",
    "5_beta",
)

RIGHT = [
    Answer(
        "the ELBO in torch",
        _ELBO,
        {
            "elbo-kl": """
import torch

def kl_standard(mu, logvar):
    return 0.5 * torch.sum(mu.pow(2) + logvar.exp() - 1 - logvar, dim=1)
""",
            "elbo-gaussian": """
from torch.distributions import Independent, Normal, kl_divergence

def kl_gaussians(mu_q, var_q, mu_p, var_p):
    q, p = (Independent(Normal(m, v.sqrt()), 1) for m, v in ((mu_q, var_q), (mu_p, var_p)))
    return kl_divergence(q, p)
""",
            "elbo-reparameterise": """
def reparameterise(mu, logvar, epsilon):
    return mu.float() + torch.exp(0.5 * logvar.float()) * epsilon.float()
""",
            "elbo-bernoulli": """
def log_bernoulli(x, logits):
    return -torch.nn.functional.binary_cross_entropy_with_logits(
        logits, x.to(logits), reduction="none").sum(-1)
""",
            "elbo-estimator": """
def elbo(x, mu, logvar, epsilon, decode):
    total = torch.zeros(len(x))
    for z in reparameterise(mu, logvar, epsilon).unbind(0):
        total += log_bernoulli(x, decode(z))
    return total / epsilon.shape[0] - kl_standard(mu, logvar)
""",
            "elbo-weights": """
def iw_bound(log_weights):
    return torch.logsumexp(log_weights, 1) - torch.tensor(float(log_weights.shape[1])).log()
""",
        },
    ),
    Answer(
        "the ELBO in loops",
        _ELBO,
        {
            "elbo-kl": """
import math

def kl_standard(mu, logvar):
    result = []
    for ms, ls in zip(mu, logvar):
        result.append(sum((m * m + math.exp(s) - 1 - s) / 2 for m, s in zip(ms, ls)))
    return result
""",
            "elbo-gaussian": """
def kl_gaussians(mu_q, var_q, mu_p, var_p):
    result = []
    for n in range(len(mu_q)):
        total = 0.0
        for j in range(len(mu_q[n])):
            ratio = var_q[n][j] / var_p[n][j]
            shift = (mu_q[n][j] - mu_p[n][j]) ** 2 / var_p[n][j]
            total += 0.5 * (ratio + shift - 1 - math.log(ratio))
        result.append(total)
    return result
""",
            "elbo-reparameterise": """
def reparameterise(mu, logvar, epsilon):
    return np.array([[[m + math.exp(s / 2) * e for m, s, e in zip(*row)]
                      for row in zip(mu, logvar, draw)] for draw in epsilon])
""",
            "elbo-bernoulli": """
def log_bernoulli(x, logits):
    result = np.zeros(len(x), dtype=np.float32)
    for n in range(len(x)):
        for b, a in zip(x[n], logits[n]):
            softplus = max(a, 0) + math.log1p(math.exp(-abs(a)))
            result[n] += b * a - softplus
    return result
""",
            "elbo-estimator": """
def elbo(x, mu, logvar, epsilon, decode):
    kl = kl_standard(mu, logvar)
    draws = [log_bernoulli(x, decode(z)) for z in reparameterise(mu, logvar, epsilon)]
    return [np.mean([d[n] for d in draws]) - kl[n] for n in range(len(x))]
""",
            "elbo-weights": """
def iw_bound(log_weights):
    bounds = []
    for row in log_weights:
        top = max(row)
        bounds.append(top + math.log(sum(math.exp(w - top) for w in row) / len(row)))
    return bounds
""",
        },
    ),
    Answer(
        "mixtures in torch",
        _MIXTURES,
        {
            "mixtures-density": """
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

def log_density(z, mu, logvar):
    parts = Independent(Normal(mu, (logvar / 2).exp()), 1)
    return MixtureSameFamily(Categorical(torch.ones(len(mu)).to(mu)), parts).log_prob(z)
""",
            "mixtures-mean": """
def mixture_mean(mu, logvar):
    return torch.mean(mu, dim=0)
""",
            "mixtures-covariance": """
def mixture_covariance(mu, logvar):
    second = torch.diag_embed(logvar.exp()) + mu.unsqueeze(2) @ mu.unsqueeze(1)
    mean = mu.mean(dim=0)
    return second.mean(dim=0) - torch.outer(mean, mean)
""",
            "mixtures-distance": """
def bhattacharyya(mean_1, cov_1, mean_2, cov_2):
    both, shift = (cov_1 + cov_2) / 2, mean_1 - mean_2
    first = shift @ torch.linalg.inv(both) @ shift / 8
    dets = torch.logdet(cov_1) + torch.logdet(cov_2)
    return first + 0.5 * (torch.logdet(both) - 0.5 * dets)
""",
            "mixtures-classify": """
def classify(z, mu, logvar, labels):
    scores = [log_density(z, mu[labels == c], logvar[labels == c])
              + (labels == c).double().mean().log() for c in labels.unique()]
    return torch.stack(scores, dim=1).argmax(dim=1)
""",
        },
    ),
    Answer(
        "mixtures in loops",
        _MIXTURES,
        {
            "mixtures-density": """
import math

def log_density(z, mu, logvar):
    result = []
    for point in z:
        logs = []
        for m, s in zip(mu, logvar):
            log = 0.0
            for a, b, c in zip(point, m, s):
                log -= 0.5 * ((a - b) ** 2 * math.exp(-c) + c + math.log(2 * math.pi))
            logs.append(log)
        top = max(logs)
        result.append(top + math.log(sum(math.exp(v - top) for v in logs) / len(logs)))
    return result
""",
            "mixtures-covariance": """
def mixture_covariance(mu, logvar):
    n, d = len(mu), len(mu[0])
    mean = mixture_mean(mu, logvar)
    result = [[0.0] * d for _ in range(d)]
    for i in range(n):
        for a in range(d):
            for b in range(d):
                result[a][b] += (mu[i][a] - mean[a]) * (mu[i][b] - mean[b]) / n
            result[a][a] += math.exp(logvar[i][a]) / n
    return result
""",
            "mixtures-classify": """
def classify(z, mu, logvar, labels):
    winners = []
    for point in z:
        best = {}
        for c in set(int(v) for v in labels):
            rows = [i for i in range(len(labels)) if labels[i] == c]
            total = log_density([point], mu[rows], logvar[rows])[0] + math.log(len(rows))
            best[total] = c
        winners.append(best[max(best)])
    return winners
""",
        },
    ),
    Answer(
        "pCN in torch",
        _PCN,
        {
            "pcn-propose": """
import torch

def propose(z, xi, step):
    return torch.sqrt(torch.tensor(1 - step**2)) * z + step * xi
""",
            "pcn-accept": """
def log_acceptance(log_l_new, log_l_old):
    return torch.clamp(log_l_new - log_l_old, max=0)
""",
            "pcn-chain": """
def pcn(log_likelihood, start, step, xi, u):
    z, out = start.clone(), torch.empty_like(xi)
    for t in range(xi.shape[0]):
        new = propose(z, xi[t], step)
        yes = u[t].log() < log_acceptance(log_likelihood(new), log_likelihood(z))
        z[yes] = new[yes]
        out[t] = z
    return out
""",
            "pcn-rate": """
def acceptance_rate(start, states):
    all_states = torch.cat([start.unsqueeze(0), states])
    return (all_states.diff(dim=0) != 0).any(dim=2).double().mean(dim=0)
""",
        },
    ),
    Answer(
        "pCN in loops",
        _PCN,
        {
            "pcn-accept": """
import math

def log_acceptance(log_l_new, log_l_old):
    return np.array([math.log(min(1, math.exp(min(a - b, 0)))) if a - b > -700 else a - b
                     for a, b in zip(log_l_new, log_l_old)])
""",
            "pcn-chain": """
def pcn(log_likelihood, start, step, xi, u):
    chains = []
    for k in range(len(start)):
        z, chain = start[k], []
        for t in range(len(xi)):
            new = math.sqrt(1 - step * step) * z + step * xi[t][k]
            ratio = float(log_likelihood(new[None])[0] - log_likelihood(z[None])[0])
            if math.log(u[t][k]) < ratio:
                z = new
            chain.append(z)
        chains.append(chain)
    return [[chains[k][t] for k in range(len(start))] for t in range(len(xi))]
""",
            "pcn-rate": """
def acceptance_rate(start, states):
    moved = np.zeros(len(start))
    previous = start
    for state in states:
        for k in range(len(start)):
            moved[k] += float((state[k] != previous[k]).any())
        previous = state
    return moved / len(states)
""",
            "pcn-diagnose": """
def diagnose(sampler, rng):
    one = sampler(lambda z: 0 * z[:, 0], np.zeros((1000, 1)), 0.5, 40, rng)[-1]
    if np.mean(one**2) < 0.6:
        return "proposal"
    states = sampler(lambda z: -3 * np.abs(z[:, 0] - 2), np.full((50, 1), 1.5), 0.9, 200, rng)
    if not any((a == b).any() for a, b in zip(states, states[1:])):
        return "repeats"
    return "ratio" if np.median(states) < 0.3 else "correct"
""",
        },
    ),
    Answer(
        "heatmaps in torch",
        _HEATMAPS,
        {
            "heatmaps-heatmap": """
import torch

def heatmap(s1, s2, rho, size, extent):
    axis = torch.linspace(-extent, extent, size, dtype=torch.float64)
    off = rho * (s1 * s2) ** 0.5
    precision = torch.linalg.inv(torch.tensor([[s1, off], [off, s2]], dtype=torch.float64))
    v, u = torch.meshgrid(axis, axis, indexing="ij")
    points = torch.stack([u, v], dim=-1)
    image = torch.exp(-0.5 * ((points @ precision) * points).sum(-1))
    return image / image.max()
""",
            "heatmaps-factors": """
def factors(image, extent):
    image = torch.as_tensor(image)
    axis = torch.linspace(-extent, extent, image.shape[0], dtype=image.dtype)
    v, u = torch.meshgrid(axis, axis, indexing="ij")
    terms = torch.stack([u**2, u * v, v**2, torch.ones_like(u)], dim=-1).reshape(-1, 4)
    a, b, c, _ = torch.linalg.lstsq(terms, image.log().reshape(-1, 1)).solution[:, 0].unbind()
    precision = torch.stack([torch.stack([-2 * a, -b]), torch.stack([-b, -2 * c])])
    cov = torch.linalg.inv(precision)
    return cov[0, 0], cov[1, 1], cov[0, 1] / torch.sqrt(cov[0, 0] * cov[1, 1])
""",
            "heatmaps-nearest": """
def nearest(image, gallery):
    distances = (gallery - image).flatten(1).norm(dim=1)
    return torch.stack([distances.argmin().double(), distances.min() / image.norm()])
""",
            "heatmaps-invalidity": """
def invalidity(image, extent):
    image = torch.as_tensor(image)
    fitted = heatmap(*[float(f) for f in factors(image, extent)], image.shape[0], extent)
    return torch.dist(image, fitted) / image.norm()
""",
            "heatmaps-rank": """
def rank_correlation(a, b):
    ranks = torch.stack([x.argsort().argsort().double() for x in (a, b)])
    return torch.corrcoef(ranks)[0, 1]
""",
            "heatmaps-direction": """
def direction(z, factor):
    z, factor = z - z.mean(dim=0), factor - factor.mean()
    w = torch.linalg.solve(z.T.cov(), (z * factor[:, None]).mean(dim=0))
    return torch.nn.functional.normalize(w, dim=0)
""",
            "heatmaps-summary": """
def summary(errors):
    c = errors - torch.mean(errors)
    return torch.stack([errors.mean(), errors.median(), c.pow(4).mean() / c.pow(2).mean()**2 - 3])
""",
        },
    ),
    Answer(
        "heatmaps in loops",
        _HEATMAPS,
        {
            "heatmaps-heatmap": """
import math

def heatmap(s1, s2, rho, size, extent):
    at = [-extent + 2 * extent * k / (size - 1) for k in range(size)]
    image = np.zeros((size, size), dtype=np.float32)
    for i, y in enumerate(at):
        for j, x in enumerate(at):
            a, b = x / math.sqrt(s1), y / math.sqrt(s2)
            image[i, j] = math.exp(-(a * a - 2 * rho * a * b + b * b) / 2 / (1 - rho**2))
    return image / image.max()
""",
            "heatmaps-nearest": """
def nearest(image, gallery):
    best = (math.inf, -1)
    for k, other in enumerate(gallery):
        best = min(best, (math.sqrt(sum((p - q) ** 2 for p, q in zip(image.ravel(),
                                                                 other.ravel()))), k))
    return [best[1], best[0] / math.sqrt(sum(p * p for p in image.ravel()))]
""",
            "heatmaps-rank": """
def rank_correlation(a, b):
    n = len(a)
    rank = lambda x: [sum(y < v for y in x) for v in x]
    d = sum((i - j) ** 2 for i, j in zip(rank(a), rank(b)))
    return 1 - 6 * d / (n * (n * n - 1))
""",
            "heatmaps-summary": """
def summary(errors):
    n = len(errors)
    mean = sum(errors) / n
    m2, m4 = (sum((e - mean) ** k for e in errors) / n for k in (2, 4))
    return mean, sorted(errors)[n // 2], m4 / m2**2 - 3
""",
        },
    ),
    Answer(
        "beta in torch",
        _BETA,
        {
            "beta-rate": """
import torch

def rate(mu, logvar):
    return (-0.5 * (1 + logvar - mu.pow(2) - logvar.exp())).sum(dim=1).mean()
""",
            "beta-distortion": """
def distortion(x, recon):
    return torch.nn.functional.mse_loss(recon, x, reduction="sum") / x.shape[0]
""",
            "beta-gaussian": """
def gaussian_nll(x, recon, variance):
    return -torch.distributions.Normal(recon, variance**0.5).log_prob(x).sum(dim=1)
""",
            "beta-variance": """
def optimal_variance(x, recon):
    return torch.mean((x - recon) ** 2)
""",
            "beta-active": """
def active_units(mu, threshold):
    return torch.var(mu, dim=0) > threshold
""",
            "beta-choose": """
def choose_beta(betas, rates, distortions, pixels):
    variance = distortions / pixels
    bound = -(pixels / 2 * torch.log(2 * torch.pi * variance) + pixels / 2 + rates)
    return betas[torch.argmax(bound)]
""",
        },
    ),
    Answer(
        "beta in loops",
        _BETA,
        {
            "beta-distortion": """
def distortion(x, recon):
    total = 0.0
    for row, other in zip(x, recon):
        for a, b in zip(row, other):
            total += (a - b) ** 2
    return total / len(x)
""",
            "beta-gaussian": """
import math

def gaussian_nll(x, recon, variance):
    return [sum((a - b) ** 2 for a, b in zip(r, s)) / (2 * variance)
            + len(r) / 2 * math.log(2 * math.pi * variance) for r, s in zip(x, recon)]
""",
            "beta-active": """
def active_units(mu, threshold):
    result = []
    for column in mu.T:
        mean = sum(column) / len(column)
        result.append(sum((m - mean) ** 2 for m in column) / (len(column) - 1) > threshold)
    return result
""",
            "beta-choose": """
def choose_beta(betas, rates, distortions, pixels):
    best, winner = -math.inf, None
    for b, r, d in zip(betas, rates, distortions):
        bound = -pixels / 2 * math.log(d / pixels) - r
        if bound > best:
            best, winner = bound, b
    return winner
""",
        },
    ),
]

_ESTIMATOR = ("elbo-estimator-1", "elbo-estimator-2")
_ALL_KL = ("elbo-kl-1", "elbo-kl-2", "elbo-kl-3", *_ESTIMATOR)
_ALL_CHAIN = ("pcn-chain-1", "pcn-chain-2", "pcn-chain-3")


def _kl(body: str) -> dict[str, str]:
    return {"elbo-kl": f"def kl_standard(mu, logvar):\n    return {body}"}


def _one(cell: str, head: str, body: str) -> dict[str, str]:
    return {cell: f"def {head}:\n    {body}"}


def _chain(body: str) -> dict[str, str]:
    lines = "\n        ".join(body.strip().split("\n"))
    return {
        "pcn-chain": f"""
def pcn(log_likelihood, start, step, xi, u):
    z, states = start, []
    for noise, chance in zip(xi, u):
        new = propose(z, noise, step)
        log_alpha = log_acceptance(log_likelihood(new), log_likelihood(z))
        yes = (np.log(chance) < log_alpha)[:, None]
        {lines}
    return np.stack(states)
"""
    }


WRONG = [
    # 1. The ELBO
    Answer(
        "the sign of the KL",
        _ELBO,
        _kl("0.5 * (1 + logvar - mu**2 - np.exp(logvar)).sum(1)"),
        _ALL_KL,
    ),
    Answer("the missing ½", _ELBO, _kl("(mu**2 + np.exp(logvar) - 1 - logvar).sum(1)"), _ALL_KL),
    Answer(
        "a log-variance taken for a log-sigma",
        _ELBO,
        _kl("0.5 * (mu**2 + np.exp(2 * logvar) - 1 - 2 * logvar).sum(1)"),
        ("elbo-kl-1", "elbo-kl-3", *_ESTIMATOR),
    ),
    Answer(
        "a log-variance taken for a variance",
        _ELBO,
        _kl("0.5 * (mu**2 + logvar - 1 - np.log(np.abs(logvar) + 1e-9)).sum(1)"),
        _ALL_KL,
    ),
    Answer(
        "the mean over latent dimensions for the sum",
        _ELBO,
        _kl("0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).mean(1)"),
        ("elbo-kl-3", *_ESTIMATOR),
    ),
    Answer(
        "one number for the whole batch",
        _ELBO,
        _kl("0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum()"),
        _ALL_KL,
    ),
    Answer(
        "a forgotten -1",
        _ELBO,
        _kl("0.5 * (mu**2 + np.exp(logvar) - logvar).sum(1)"),
        _ALL_KL,
    ),
    Answer(
        "the logarithm of the determinants upside down",
        _ELBO,
        _one(
            "elbo-gaussian",
            "kl_gaussians(mu_q, var_q, mu_p, var_p)",
            "return 0.5 * (var_q / var_p + (mu_q - mu_p)**2 / var_p - 1"
            " + np.log(var_q / var_p)).sum(1)",
        ),
        ("elbo-gaussian-2",),
    ),
    Answer(
        "KL(p || q) for KL(q || p)",
        _ELBO,
        _one(
            "elbo-gaussian",
            "kl_gaussians(mu_p, var_p, mu_q, var_q)",
            "return 0.5 * (var_q / var_p + (mu_q - mu_p)**2 / var_p - 1"
            " + np.log(var_p / var_q)).sum(1)",
        ),
        ("elbo-gaussian-2",),
    ),
    Answer(
        "standard deviations for variances",
        _ELBO,
        _one(
            "elbo-gaussian",
            "kl_gaussians(mu_q, s, mu_p, t)",
            "return (np.log(t / s) + (s**2 + (mu_q - mu_p)**2) / (2 * t**2) - 0.5).sum(1)",
        ),
        ("elbo-gaussian-1", "elbo-gaussian-2"),
    ),
    Answer(
        "noise scaled by the variance",
        _ELBO,
        _one(
            "elbo-reparameterise",
            "reparameterise(mu, logvar, epsilon)",
            "return mu + np.exp(logvar) * epsilon",
        ),
        ("elbo-reparameterise-1", "elbo-reparameterise-2", *_ESTIMATOR),
    ),
    Answer(
        "noise of its own in place of the given",
        _ELBO,
        _one(
            "elbo-reparameterise",
            "reparameterise(mu, logvar, epsilon)",
            "e = np.random.normal(size=epsilon.shape); e = (e - e.mean(0)) / (e.std(0) + 1e-12)\n"
            "    return np.asarray(mu) + np.exp(np.asarray(logvar) / 2) * e",
        ),
        ("elbo-reparameterise-2", *_ESTIMATOR),
    ),
    Answer(
        "a cross-entropy that overflows",
        _ELBO,
        _one(
            "elbo-bernoulli",
            "log_bernoulli(x, logits)",
            "p = 1 / (1 + np.exp(-logits))\n"
            "    return (x * np.log(p) + (1 - x) * np.log(1 - p)).sum(1)",
        ),
        ("elbo-bernoulli-2",),
    ),
    Answer(
        "the mean over pixels for the sum",
        _ELBO,
        _one(
            "elbo-bernoulli",
            "log_bernoulli(x, logits)",
            "return (x * logits - np.logaddexp(0, logits)).mean(1)",
        ),
        ("elbo-bernoulli-1", "elbo-bernoulli-2", *_ESTIMATOR),
    ),
    Answer(
        "the KL added to the ELBO",
        _ELBO,
        _one(
            "elbo-estimator",
            "elbo(x, mu, logvar, epsilon, decode)",
            "draws = [log_bernoulli(x, decode(z)) for z in reparameterise(mu, logvar, epsilon)]\n"
            "    return sum(draws) / len(draws) + kl_standard(mu, logvar)",
        ),
        _ESTIMATOR,
    ),
    Answer(
        "the sum over the draws for the mean",
        _ELBO,
        _one(
            "elbo-estimator",
            "elbo(x, mu, logvar, epsilon, decode)",
            "draws = [log_bernoulli(x, decode(z)) for z in reparameterise(mu, logvar, epsilon)]\n"
            "    return sum(draws) - kl_standard(mu, logvar)",
        ),
        ("elbo-estimator-2",),
    ),
    Answer(
        "the mean of the logarithms",
        _ELBO,
        _one("elbo-weights", "iw_bound(log_weights)", "return log_weights.mean(1)"),
        ("elbo-weights-1", "elbo-weights-2"),
    ),
    Answer(
        "weights that underflow",
        _ELBO,
        _one(
            "elbo-weights", "iw_bound(log_weights)", "return np.log(np.exp(log_weights).mean(1))"
        ),
        ("elbo-weights-2",),
    ),
    Answer(
        "a forgotten division by K",
        _ELBO,
        _one(
            "elbo-weights",
            "iw_bound(log_weights)",
            "return np.logaddexp.reduce(log_weights, axis=1)",
        ),
        ("elbo-weights-1", "elbo-weights-2"),
    ),
    # 2. Class mixtures
    Answer(
        "E[z]² in place of the outer product",
        _MIXTURES,
        _one(
            "mixtures-covariance",
            "mixture_covariance(mu, logvar)",
            "second = np.mean([np.diag(np.exp(s)) + np.outer(m, m)"
            " for m, s in zip(mu, logvar)], axis=0)\n"
            "    return second - mu.mean(0)**2",
        ),
        ("mixtures-moments-2", "mixtures-moments-3", "mixtures-moments-4"),
    ),
    Answer(
        "only the diagonal",
        _MIXTURES,
        _one(
            "mixtures-covariance",
            "mixture_covariance(mu, logvar)",
            "return np.diag(np.exp(logvar).mean(0) + mu.var(0))",
        ),
        ("mixtures-moments-3", "mixtures-moments-4"),
    ),
    Answer(
        "without the Gaussians' own variance",
        _MIXTURES,
        _one(
            "mixtures-covariance",
            "mixture_covariance(mu, logvar)",
            "c = mu - mu.mean(0)\n    return c.T @ c / len(mu)",
        ),
        ("mixtures-moments-2", "mixtures-moments-4"),
    ),
    Answer(
        "the covariance of an average of variables",
        _MIXTURES,
        _one(
            "mixtures-covariance",
            "mixture_covariance(mu, logvar)",
            "return np.diag(np.exp(logvar).sum(0)) / len(mu)**2",
        ),
        ("mixtures-moments-3", "mixtures-moments-4"),
    ),
    Answer(
        "divided by N - 1",
        _MIXTURES,
        _one(
            "mixtures-covariance",
            "mixture_covariance(mu, logvar)",
            "c = mu - mu.mean(0)\n"
            "    return np.diag(np.exp(logvar).mean(0)) + c.T @ c / max(len(mu) - 1, 1)",
        ),
        ("mixtures-moments-3", "mixtures-moments-4"),
    ),
    Answer(
        "the sum of the components for their mean",
        _MIXTURES,
        _one(
            "mixtures-density",
            "log_density(z, mu, logvar)",
            "logs = -0.5 * ((z[:, None] - mu)**2 / np.exp(logvar) + logvar"
            " + np.log(2 * np.pi)).sum(2)\n    return np.logaddexp.reduce(logs, axis=1)",
        ),
        ("mixtures-density-2", "mixtures-density-3", "mixtures-classify-2"),
    ),
    Answer(
        "a density that underflows",
        _MIXTURES,
        _one(
            "mixtures-density",
            "log_density(z, mu, logvar)",
            "logs = -0.5 * ((z[:, None] - mu)**2 / np.exp(logvar) + logvar"
            " + np.log(2 * np.pi)).sum(2)\n    return np.log(np.exp(logs).mean(1))",
        ),
        ("mixtures-density-3",),
    ),
    Answer(
        "the product of the components for their mean",
        _MIXTURES,
        _one(
            "mixtures-density",
            "log_density(z, mu, logvar)",
            "logs = -0.5 * ((z[:, None] - mu)**2 / np.exp(logvar) + logvar"
            " + np.log(2 * np.pi)).sum(2)\n    return logs.sum(1)",
        ),
        (
            "mixtures-density-2",
            "mixtures-density-3",
            "mixtures-classify-2",
        ),
    ),
    Answer(
        "determinants without the logarithm's ½",
        _MIXTURES,
        _one(
            "mixtures-distance",
            "bhattacharyya(m, a, n, b)",
            "s = (a + b) / 2\n"
            "    d = [np.linalg.slogdet(c)[1] for c in (s, a, b)]\n"
            "    return (m - n) @ np.linalg.inv(s) @ (m - n) / 8 + d[0] - (d[1] + d[2]) / 2",
        ),
        ("mixtures-distance-2", "mixtures-distance-3"),
    ),
    Answer(
        "classes weighed alike",
        _MIXTURES,
        _one(
            "mixtures-classify",
            "classify(z, mu, logvar, labels)",
            "s = [log_density(z, mu[labels == c], logvar[labels == c])"
            " for c in range(labels.max() + 1)]\n    return np.argmax(s, axis=0)",
        ),
        ("mixtures-classify-2",),
    ),
    Answer(
        "a log-variance taken for a log-sigma in a density",
        _MIXTURES,
        _one(
            "mixtures-density",
            "log_density(z, mu, logvar)",
            "logs = -0.5 * ((z[:, None] - mu)**2 / np.exp(2 * logvar) + 2 * logvar"
            " + np.log(2 * np.pi)).sum(2)\n"
            "    return np.logaddexp.reduce(logs, axis=1) - np.log(len(mu))",
        ),
        ("mixtures-density-1", "mixtures-density-2", "mixtures-density-3"),
    ),
    Answer(
        "the sum of the means for their mean",
        _MIXTURES,
        _one("mixtures-mean", "mixture_mean(mu, logvar)", "return mu.sum(0)"),
        ("mixtures-moments-1",),
    ),
    Answer(
        "half of the distance of the means",
        _MIXTURES,
        _one(
            "mixtures-distance",
            "bhattacharyya(m, a, n, b)",
            "s = (a + b) / 2\n"
            "    d = [np.linalg.slogdet(c)[1] for c in (s, a, b)]\n"
            "    return (m - n) @ np.linalg.inv(s) @ (m - n) / 4 + d[0] / 2 - (d[1] + d[2]) / 4",
        ),
        ("mixtures-distance-1", "mixtures-distance-3"),
    ),
    Answer(
        "the least probable class",
        _MIXTURES,
        _one(
            "mixtures-classify",
            "classify(z, mu, logvar, labels)",
            "s = [log_density(z, mu[labels == c], logvar[labels == c])"
            " + np.log((labels == c).mean()) for c in range(labels.max() + 1)]\n"
            "    return np.argmin(s, axis=0)",
        ),
        ("mixtures-classify-1", "mixtures-classify-2"),
    ),
    # 3. pCN
    Answer(
        "the proposal without its square root",
        _PCN,
        _one("pcn-propose", "propose(z, xi, step)", "return (1 - step) * z + step * xi"),
        (
            "pcn-propose-2",
            "pcn-chain-1",
            "pcn-chain-3",
            "pcn-diagnose-1",
        ),
    ),
    Answer(
        "the random walk's proposal",
        _PCN,
        _one("pcn-propose", "propose(z, xi, step)", "return z + step * xi"),
        (
            "pcn-propose-1",
            "pcn-propose-2",
            "pcn-chain-1",
            "pcn-chain-3",
            "pcn-diagnose-1",
        ),
    ),
    Answer(
        "the ratio upside down",
        _PCN,
        _one("pcn-accept", "log_acceptance(new, old)", "return np.minimum(old - new, 0)"),
        (
            "pcn-accept-1",
            "pcn-accept-2",
            "pcn-chain-2",
            "pcn-chain-3",
            "pcn-diagnose-1",
        ),
    ),
    Answer(
        "a probability above 1",
        _PCN,
        _one("pcn-accept", "log_acceptance(new, old)", "return new - old"),
        ("pcn-accept-2",),
    ),
    Answer(
        "the probability for its logarithm",
        _PCN,
        _one("pcn-accept", "log_acceptance(new, old)", "return np.exp(np.minimum(new - old, 0))"),
        (
            "pcn-accept-1",
            "pcn-accept-2",
            "pcn-chain-2",
            "pcn-chain-3",
            "pcn-diagnose-1",
        ),
    ),
    Answer(
        "the old state forgotten on rejection",
        _PCN,
        _chain("z = np.where(yes, new, z)\nif yes.all(): states.append(z)"),
        (
            "pcn-chain-2",
            "pcn-chain-3",
            "pcn-diagnose-1",
        ),
    ),
    Answer(
        "the proposal kept in place of the state",
        _PCN,
        _chain("z = np.where(yes, new, z)\nstates.append(new)"),
        (
            "pcn-chain-2",
            "pcn-chain-3",
            "pcn-diagnose-1",
        ),
    ),
    Answer(
        "the state before the step",
        _PCN,
        _chain("states.append(z)\nz = np.where(yes, new, z)"),
        ("pcn-chain-1", "pcn-chain-3"),
    ),
    Answer(
        "one decision for all chains",
        _PCN,
        _chain("z = new if yes[0, 0] else z\nstates.append(z)"),
        (
            "pcn-chain-3",
            "pcn-diagnose-1",
        ),
    ),
    Answer(
        "the first step not counted",
        _PCN,
        _one(
            "pcn-rate",
            "acceptance_rate(start, states)",
            "return (np.diff(states, axis=0) != 0).any(2).mean(0)",
        ),
        ("pcn-rate-1", "pcn-rate-2"),
    ),
    Answer(
        "every sampler called correct",
        _PCN,
        _one("pcn-diagnose", "diagnose(sampler, rng)", 'return "correct"'),
        ("pcn-diagnose-1", "pcn-diagnose-2", "pcn-diagnose-3"),
    ),
    Answer(
        "a test bench that looks at the prior only",
        _PCN,
        _one(
            "pcn-diagnose",
            "diagnose(sampler, rng)",
            "z = sampler(lambda z: 0 * z[:, 0], rng.normal(size=(900, 1)), 0.5, 20, rng)[-1]\n"
            '    return "correct" if z.var() > 0.7 else "proposal"',
        ),
        (
            "pcn-diagnose-1",
            "pcn-diagnose-3",
        ),
    ),
    Answer(
        "a test bench that never looks at the prior",
        _PCN,
        _one(
            "pcn-diagnose",
            "diagnose(sampler, rng)",
            "z = sampler(lambda z: -8 * (z[:, 0] - 1)**2, rng.normal(size=(500, 1)), 0.5, 60, rng)"
            "[20:]\n"
            '    if (z[1:] == z[:-1]).mean() < 0.01:\n        return "repeats"\n'
            '    return "correct" if abs(z.mean() - 16 / 17) < 0.3 else "ratio"',
        ),
        ("pcn-diagnose-2",),
    ),
    # 4. Heatmaps
    Answer(
        "divided by the peak of the density, not by the largest pixel",
        _HEATMAPS,
        _one(
            "heatmaps-heatmap",
            "heatmap(s1, s2, rho, size, extent)",
            "x, y = np.meshgrid(*[np.linspace(-extent, extent, size)] * 2)\n"
            "    q = x**2 / s1 - 2 * rho * x * y / (s1 * s2)**0.5 + y**2 / s2\n"
            "    return np.exp(-q / 2 / (1 - rho**2))",
        ),
        ("heatmaps-heatmap-3",),
    ),
    Answer(
        "rows for columns",
        _HEATMAPS,
        _one(
            "heatmaps-heatmap",
            "heatmap(s2, s1, rho, size, extent)",
            "x, y = np.meshgrid(*[np.linspace(-extent, extent, size)] * 2)\n"
            "    q = x**2 / s1 - 2 * rho * x * y / (s1 * s2)**0.5 + y**2 / s2\n"
            "    h = np.exp(-q / 2 / (1 - rho**2))\n    return h / h.max()",
        ),
        (
            "heatmaps-heatmap-1",
            "heatmaps-heatmap-2",
            "heatmaps-heatmap-3",
            "heatmaps-invalidity-1",
            "heatmaps-invalidity-2",
        ),
    ),
    Answer(
        "the correlation for the covariance",
        _HEATMAPS,
        _one(
            "heatmaps-heatmap",
            "heatmap(s1, s2, rho, size, extent)",
            "x, y = np.meshgrid(*[np.linspace(-extent, extent, size)] * 2)\n"
            "    p = np.linalg.inv([[s1, rho], [rho, s2]])\n"
            "    q = p[0, 0] * x**2 + 2 * p[0, 1] * x * y + p[1, 1] * y**2\n"
            "    h = np.exp(-(q - q.min()) / 2)\n    return h",
        ),
        (
            "heatmaps-heatmap-2",
            "heatmaps-invalidity-2",
        ),
    ),
    Answer(
        "the precision's diagonal inverted entry by entry",
        _HEATMAPS,
        {
            "heatmaps-factors": """
def factors(image, extent):
    axis = np.linspace(-extent, extent, len(image))
    x, y = (u.ravel() for u in np.meshgrid(axis, axis))
    terms = np.stack([x**2, x * y, y**2, np.ones_like(x)], 1)
    a, b, c, _ = -2 * np.linalg.lstsq(terms, np.log(image).ravel(), rcond=None)[0]
    return 1 / a, 1 / c, -b / 2 / np.sqrt(a * c)
"""
        },
        (
            "heatmaps-factors-2",
            "heatmaps-factors-3",
            "heatmaps-invalidity-2",
        ),
    ),
    Answer(
        "moments of a picture that is cut off",
        _HEATMAPS,
        {
            "heatmaps-factors": """
def factors(image, extent):
    axis = np.linspace(-extent, extent, len(image))
    x, y = np.meshgrid(axis, axis)
    p = image / image.sum()
    a, b, c = (p * x * x).sum(), (p * y * y).sum(), (p * x * y).sum()
    return a, b, c / np.sqrt(a * b)
"""
        },
        (
            "heatmaps-factors-1",
            "heatmaps-factors-2",
            "heatmaps-factors-3",
            "heatmaps-invalidity-1",
            "heatmaps-invalidity-2",
        ),
    ),
    Answer(
        "a fit without the constant",
        _HEATMAPS,
        {
            "heatmaps-factors": """
def factors(image, extent):
    axis = np.linspace(-extent, extent, len(image))
    x, y = (u.ravel() for u in np.meshgrid(axis, axis))
    terms = np.stack([x**2, x * y, y**2], 1)
    a, b, c = -2 * np.linalg.lstsq(terms, np.log(image).ravel(), rcond=None)[0]
    cov = np.linalg.inv([[a, b / 2], [b / 2, c]])
    return cov[0, 0], cov[1, 1], cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1])
"""
        },
        ("heatmaps-factors-3", "heatmaps-invalidity-2"),
    ),
    Answer(
        "squared distances",
        _HEATMAPS,
        _one(
            "heatmaps-nearest",
            "nearest(image, gallery)",
            "d = ((gallery - image)**2).sum((1, 2))\n"
            "    return d.argmin(), d.min() / (image**2).sum()",
        ),
        ("heatmaps-nearest-1",),
    ),
    Answer(
        "Pearson's correlation for Spearman's",
        _HEATMAPS,
        _one(
            "heatmaps-rank", "rank_correlation(a, b)", "return np.corrcoef(a, np.asarray(b))[0, 1]"
        ),
        ("heatmaps-rank-1", "heatmaps-rank-2"),
    ),
    Answer(
        "the order taken for the ranks",
        _HEATMAPS,
        _one(
            "heatmaps-rank",
            "rank_correlation(a, b)",
            "return np.corrcoef(np.argsort(a), np.argsort(b))[0, 1]",
        ),
        ("heatmaps-rank-1", "heatmaps-rank-2"),
    ),
    Answer(
        "the correlation of each dimension by itself",
        _HEATMAPS,
        _one(
            "heatmaps-direction",
            "direction(z, f)",
            "w = np.array([np.corrcoef(column, f)[0, 1] for column in z.T])\n"
            "    return w / np.linalg.norm(w)",
        ),
        ("heatmaps-direction-2",),
    ),
    Answer(
        "least squares without centring",
        _HEATMAPS,
        _one(
            "heatmaps-direction",
            "direction(z, f)",
            "w = np.linalg.lstsq(z, f, rcond=None)[0]\n    return w / np.linalg.norm(w)",
        ),
        ("heatmaps-direction-2",),
    ),
    Answer(
        "the kurtosis without its 3",
        _HEATMAPS,
        _one(
            "heatmaps-summary",
            "summary(e)",
            "c = e - e.mean()\n"
            "    return e.mean(), np.median(e), (c**4).mean() / (c**2).mean()**2",
        ),
        ("heatmaps-summary-2",),
    ),
    Answer(
        "a direction that is not of unit length",
        _HEATMAPS,
        _one(
            "heatmaps-direction",
            "direction(z, f)",
            "return np.linalg.lstsq(z - z.mean(0), f - f.mean(), rcond=None)[0]",
        ),
        ("heatmaps-direction-1", "heatmaps-direction-2"),
    ),
    Answer(
        "mean and median exchanged",
        _HEATMAPS,
        _one(
            "heatmaps-summary",
            "summary(e)",
            "c = e - e.mean()\n"
            "    return np.median(e), e.mean(), (c**4).mean() / (c**2).mean()**2 - 3",
        ),
        ("heatmaps-summary-1", "heatmaps-summary-2"),
    ),
    # 5. Beta
    Answer(
        "the rate as a mean over dimensions",
        _BETA,
        _one(
            "beta-rate",
            "rate(mu, logvar)",
            "return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).mean()",
        ),
        ("beta-rate-2",),
    ),
    Answer(
        "the rate as a sum over images",
        _BETA,
        _one(
            "beta-rate",
            "rate(mu, logvar)",
            "return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum()",
        ),
        ("beta-rate-2",),
    ),
    Answer(
        "the rate in bits",
        _BETA,
        _one(
            "beta-rate",
            "rate(mu, logvar)",
            "return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1).mean() / np.log(2)",
        ),
        ("beta-rate-1", "beta-rate-2"),
    ),
    Answer(
        "the distortion as a mean over pixels",
        _BETA,
        _one("beta-distortion", "distortion(x, recon)", "return ((x - recon)**2).mean()"),
        ("beta-distortion-1",),
    ),
    Answer(
        "a Gaussian without its constant",
        _BETA,
        _one(
            "beta-gaussian",
            "gaussian_nll(x, recon, variance)",
            "return 0.5 * ((x - recon)**2).sum(1) / variance",
        ),
        ("beta-gaussian-1", "beta-gaussian-2"),
    ),
    Answer(
        "a Gaussian with a standard deviation for its variance",
        _BETA,
        _one(
            "beta-gaussian",
            "gaussian_nll(x, recon, s)",
            "return (0.5 * (x - recon)**2 / s**2 + np.log(s) + 0.5 * np.log(2 * np.pi)).sum(1)",
        ),
        ("beta-gaussian-2",),
    ),
    Answer(
        "the optimal standard deviation",
        _BETA,
        _one("beta-variance", "optimal_variance(x, recon)", "return ((x - recon)**2).mean()**0.5"),
        ("beta-variance-1",),
    ),
    Answer(
        "the missing ½ of the Gaussian in beta",
        _BETA,
        {
            "beta-disguise": """
def beta_of_variance(variance):
    return variance


def beta_of_mean(weight, pixels, latents):
    return weight * pixels / latents
"""
        },
        ("beta-disguise-1",),
    ),
    Answer(
        "the mean over latent dimensions overlooked",
        _BETA,
        {
            "beta-disguise": """
def beta_of_variance(variance):
    return 2 * variance


def beta_of_mean(weight, pixels, latents):
    return weight * pixels
"""
        },
        ("beta-disguise-2",),
    ),
    Answer(
        "the second moment for the variance",
        _BETA,
        _one("beta-active", "active_units(mu, threshold)", "return (mu**2).mean(0) > threshold"),
        ("beta-active-2",),
    ),
    Answer(
        "standard deviations held against a variance",
        _BETA,
        _one("beta-active", "active_units(mu, threshold)", "return mu.std(0) > threshold"),
        ("beta-active-1", "beta-active-2"),
    ),
    Answer(
        "all units active",
        _BETA,
        _one("beta-active", "active_units(mu, threshold)", "return np.ones(mu.shape[1])"),
        ("beta-active-1", "beta-active-2"),
    ),
    Answer(
        "the worst bound",
        _BETA,
        _one(
            "beta-choose",
            "choose_beta(betas, rates, distortions, pixels)",
            "return betas[(pixels / 2 * np.log(distortions) + rates).argmax()]",
        ),
        ("beta-choose-1", "beta-choose-2"),
    ),
    Answer(
        "the smallest distortion",
        _BETA,
        _one(
            "beta-choose",
            "choose_beta(betas, rates, distortions, pixels)",
            "return betas[distortions.argmin()]",
        ),
        ("beta-choose-1", "beta-choose-2"),
    ),
    Answer(
        "rate plus distortion, as if they had one unit",
        _BETA,
        _one(
            "beta-choose",
            "choose_beta(betas, rates, distortions, pixels)",
            "return betas[(distortions + rates).argmin()]",
        ),
        ("beta-choose-1", "beta-choose-2"),
    ),
]
