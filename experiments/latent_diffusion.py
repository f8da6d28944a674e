r"""Diffusion in the latent spaces of models of MNIST: its loss, its memory, its samples.

    make experiment NAME=latent_diffusion

The models are `mnist-mlp-2d` and `mnist-cnn-16d`. A seed draws 10,000 of 30,000 training images,
the halves of the 10,000 test images, in random order, and all noise; the seeds share models and
images. Denoisers have the width 128 and 3,000 steps of 256 codes, the process is the package's.
Fréchet distances are those of the classifier's features, of 5,000 decoded draws to 5,000 test
images, the first half.

Rows of the part `fields`, ten seeds:

- `loss_*`: the mean squared error of the noise believed in, per dimension, for 500 held-out
  codes at log signal-to-noise ratios of 6, 4, 2, 0 and -2, by `gaussian`, a normal density,
  `mixture` (of fifty, diagonal), `learned`, `posteriors` and `posteriors_few` (the exact field of
  the training posteriors, and of 2,000 of them), `points` (that of one draw of each).
  `own_posteriors` and `own_learned` are those of training codes, the control: there the exact
  field must look best.
- `copies_*`: a draw is a copy when its nearest known code is nearer than the nearest known code of
  all but 1 % of 5,000 held-out codes. Known are 2,000 training codes, one draw each; the draws are
  1,000, of the exact field of these points (`points`), of a denoiser that was taught these points
  and nothing else (`learned`), of the exact field of their posteriors (`posteriors`). `control` is
  the share among the other 5,000 held-out codes. By the reverse SDE in 50 steps, and a last step
  to the code believed in, without which the noise of time 0 would hide copies in the plane.
- `frechet`: of draws of N(0, I), the Gaussian, the mixture of fifty, a flow (twelve passes), the
  training posteriors (`aggregate`), the denoiser by 100 steps of the SDE and 50 of the ODE (as
  many calls); `floor` decodes codes of the second half, `images` is that half itself.
- `steps_sde`, `steps_ode`: the Fréchet distance against calls of the network.

Rows of the part `scale`, ten seeds each: the codes are multiplied by .1 and by 10 before a
denoiser is taught, and its draws divided again; `frechet` by the SDE in 100 steps.

Rows of the part `guidance`, 16 dimensions, ten seeds: a denoiser with classes (a fifth not told),
and a mixture of five for each class, whose guided field is exact; w = 0, 1, 3; 500 draws of each
class by the SDE in 50 steps. `accuracy` is the share that the classifier reads as the class asked
for, `spread` the trace of the covariance within classes as a share of that of held-out codes.

Rows of the part `longer`, 16 dimensions, ten seeds, the control of what is said of the winner:
beside a denoiser as above one of the width 256 that was taught 12,000 steps, on the same codes.
`loss_*` and `own_*` as above, of both and of the mixture of fifty, `frechet` of their draws; all
see the same noise. Also `frechet` of mixtures of 100 and of 200, and of denoisers that are only
`wide` or only taught `long`; and `copies_*` as above of 1,000 draws, where one draw of each of the
10,000 codes is known, with the `control` of held-out codes.

Rows of the part `others`, ten seeds each: other VAEs, multilayer perceptrons of 2, 8 and 20
dimensions (`mnist-snapshots-2d`, `mnist-mlp-8d`, `mnist-mlp-20d`): `frechet` of N(0, I), the
mixture of fifty, both ways of a denoiser, floor and images.

What decides, written down before the run; the unit is a seed, each form holds when the 95 %
t-interval of its difference lies on the side named, and is refuted when it lies on the other:

1. `learned_beats_posteriors_16`: at a ratio of 4 and 16 dimensions the held-out loss of the
   learned field is below that of the exact field of the training posteriors.
2. `posteriors_beat_learned_2`: at the same ratio in the plane it is the other way round.
3. `points_copy`: in both spaces the exact field of points copies in more than .9 of its draws, and
   `learned_copies_less`: the denoiser taught the same points copies less, by at least .3.
4. `mixture_beats_learned_16`: the mixture of fifty has a smaller Fréchet distance than the better
   of the denoiser's two samplers, in 16 dimensions.
5. `learned_beats_normal_*`: that better one has a smaller distance than draws of N(0, I), in both.
6. `ode_needs_fewer`: with 20 calls the distance of the ODE is below that of the SDE, in 16
   dimensions.
7. `small_harms_*`: codes times .1 have a larger distance than codes as they are, in both; and
   `large_harmless_*`: codes times 10 have a distance that is larger by less than 1.
8. `guidance_trades`: from w = 0 to 3 accuracy rises and spread falls, for the denoiser.

Before these forms, trials on one seed with other sizes had shown 1, 4 and 7 in 16 dimensions, and
2 in the plane; 3 to the extent that exact points copy in all draws; the ODE ahead of the SDE at
more steps than 20. A run of thirty steps of training, to see that the code works, had printed
values as well, among them copies without the last step. The rest is a guess.

Two more forms were written down when all of the above had been seen, and before any trial of
what they are about:

9. `longer_mixture_16`: the mixture has a smaller Fréchet distance than the better of the two
   samplers of the denoiser that was taught for longer, too; and `longer_helps_16`: that better one
   has a smaller distance than the better one of the denoiser as it was, `longer_loss_16`: and a
   smaller loss on held-out codes at a ratio of 4.
10. `others_mixture_*`: in the other VAEs, with 2, 8 and 20 dimensions, the mixture has a smaller
    distance than the better of the denoiser's samplers.

At first there were five seeds in 16 dimensions, and three of the parts `longer` and `others`. With
these `longer_mixture_16`, `others_mixture_2` and `others_mixture_8` were undecided; then the rest
of the ten was added, forms unchanged. Steps were counted for five seeds at first, and
for the other five when these had been seen.

Ten seeds showed that the denoiser which is wider and taught for longer beats the mixture of fifty.
Three more forms, written down then and before any trial, ask whether that is the mixture's size,
memory, or one of the two changes alone:

11. `longer_larger_16`: the better of that denoiser's samplers has a smaller distance than the
    mixture of 200 as well;
12. `longer_copies_16`: the share of copies among its draws exceeds that among draws of the mixture
    of fifty by less than .01, if at all: the upper end of the interval lies below that;
13. `width_helps_16`, `steps_help_16`: the better sampler of the denoiser that is only wider, or
    only taught for longer, has a smaller distance than that of the denoiser as it was.

The chapter on diffusion in a latent space reads the table.
"""

import math
import statistics
from functools import cache
from typing import Any

import torch
from scipy import stats
from torch import Generator, Tensor

from vaebook import datasets, recipes
from vaebook.latent.diffusion import (
    Denoiser,
    NoisedMixture,
    Process,
    fit,
    guided,
    sample_ode,
    sample_sde,
)
from vaebook.measures import agreement
from vaebook.models import VAE
from vaebook.models.latent import Codes
from vaebook.models.learned_priors import Flow, fit_to_codes
from vaebook.models.priors import Mixture
from vaebook.tables import Experiment

MODELS = {2: "mnist-mlp-2d", 16: "mnist-cnn-16d"}
OTHERS = {2: "mnist-snapshots-2d", 8: "mnist-mlp-8d", 20: "mnist-mlp-20d"}
JUDGE = "mnist-classifier"
SEEDS = 10
N_TRAIN, N_KNOWN, N_LOSS = 10_000, 2000, 500
RATIOS = [6.0, 4.0, 2.0, 0.0, -2.0]
CALLS = [6, 10, 20, 50, 200]
STEPS, LONG = 3000, 12_000
LARGER = (100, 200)


@cache
def encoded(name: str) -> tuple[VAE, Codes, Codes]:
    """The model, and what it makes of 30,000 training images and of all test images."""
    model = recipes.load(name).model
    rows = torch.randperm(60_000, generator=Generator().manual_seed(0))[:30_000]
    train = datasets.mnist(train=True)[rows]
    return model, model.codes(train), model.codes(datasets.mnist(train=False))


@cache
def judge() -> Any:
    return recipes.load(JUDGE).model


@cache
def features_of_images() -> Tensor:
    return judge().features(datasets.mnist(train=False).images)


@torch.no_grad()
def features(model: VAE, z: Tensor) -> Tensor:
    """The classifier's features of decoded codes."""
    return torch.cat([judge().features(model.decode(part)) for part in z.split(1000)])


def rounded(value: float) -> float:
    return float(f"{value:.4g}")


def noised(mixture: Mixture) -> NoisedMixture:
    return NoisedMixture(mixture.means, mixture.logvars, mixture.log_weights.exp())


class Setting:
    """What a seed draws."""

    def __init__(self, dim: int, seed: int, models: dict[int, str] = MODELS) -> None:
        self.model, train, test = encoded(models[dim])
        self.generator = Generator().manual_seed(seed)
        rows = torch.randperm(len(train.mu), generator=self.generator)[:N_TRAIN]
        order = torch.randperm(len(test.mu), generator=self.generator)
        assert train.logvar is not None
        assert train.labels is not None
        assert test.labels is not None
        self.mu, self.logvar = train.mu[rows], train.logvar[rows]
        self.labels = train.labels[rows]
        self.z = VAE.reparameterize(self.mu, self.logvar, self.generator)
        self.held, self.held_labels = test.sample(self.generator)[order], test.labels[order]
        images = features_of_images()[order]
        self.first, self.second = images[:5000], images[5000:]
        self.dim = dim

    def noise(self, n: int) -> Tensor:
        return torch.randn(n, self.dim, generator=self.generator)

    def frechet(self, z: Tensor) -> float:
        return rounded(agreement.frechet_distance(features(self.model, z), self.first))

    def taught(
        self, mu: Tensor, logvar: Tensor | None, width: int = 128, n_steps: int = STEPS
    ) -> Denoiser:
        denoiser = Denoiser(self.dim, width)
        fit(denoiser, mu, logvar, n_steps=n_steps, generator=self.generator)
        return denoiser

    def both_ways(self, denoiser: Denoiser, start: Tensor) -> dict[str, float]:
        """The distances of draws by 100 calls each."""
        return {
            "sde": self.frechet(sample_sde(denoiser, start, 100, generator=self.generator)),
            "ode": self.frechet(sample_ode(denoiser, start, 50)),
        }

    def ends(self) -> dict[str, float]:
        """The distances of what no prior can be below."""
        return {
            "floor": self.frechet(self.held[5000:]),
            "images": rounded(agreement.frechet_distance(self.second, self.first)),
        }

    @torch.no_grad()
    def losses(self, field: Any, z: Tensor, noise: Tensor) -> list[float]:
        process = Process()
        found = []
        for ratio in RATIOS:
            t = (process.first - ratio) / (process.first - process.last)
            error = noise - field(process.noised(z, t, noise), t)
            found.append(rounded(error.square().mean().item()))
        return found


def nearest(z: Tensor, known: Tensor) -> Tensor:
    return torch.cat([torch.cdist(part, known).amin(1) for part in z.split(1000)])


@torch.no_grad()
def believed(field: Any, z: Tensor) -> Tensor:
    """The codes that a field believes in behind the little noise of time 0."""
    start = torch.zeros(1)
    return (z - Process().sigma(start) * field(z, 0.0)) / Process().alpha(start)


def copies(setting: Setting, known: Tensor, fields: dict[str, Any]) -> dict[str, float]:
    """The shares of copies among draws of fields."""
    threshold = nearest(setting.held[:5000], known).quantile(0.01)
    draws = {
        name: believed(
            field, sample_sde(field, setting.noise(1000), 50, generator=setting.generator)
        )
        for name, field in fields.items()
    } | {"control": setting.held[5000:]}
    return {
        f"copies_{name}": rounded((nearest(z, known) < threshold).double().mean().item())
        for name, z in draws.items()
    }


def memory(setting: Setting) -> dict[str, float]:
    mu, logvar = setting.mu[:N_KNOWN], setting.logvar[:N_KNOWN]
    known = setting.z[:N_KNOWN]
    fields: dict[str, Any] = {
        "points": NoisedMixture(known, None),
        "learned": setting.taught(known, None),
        "posteriors": NoisedMixture(mu, logvar),
    }
    return copies(setting, known, fields)


def fields(dim: int, seed: int) -> dict[str, Any]:
    setting = Setting(dim, seed)
    generator, z = setting.generator, setting.z
    learned = setting.taught(setting.mu, setting.logvar)
    normal = NoisedMixture.of_covariances(z.mean(0)[None], z.T.cov()[None])
    mixture = Mixture.fitted(z, 50, seed)
    flow = Flow(dim)
    fit_to_codes(flow, setting.mu, setting.logvar, epochs=12, generator=generator)

    found: dict[str, Any] = {}
    exact = NoisedMixture(setting.mu, setting.logvar)
    noise = setting.noise(N_LOSS)
    for name, field in {
        "gaussian": normal,
        "mixture": noised(mixture),
        "learned": learned,
        "posteriors": exact,
        "posteriors_few": NoisedMixture(setting.mu[:N_KNOWN], setting.logvar[:N_KNOWN]),
        "points": NoisedMixture(z, None),
    }.items():
        found[f"loss_{name}"] = setting.losses(field, setting.held[:N_LOSS], noise)
    found["own_posteriors"] = setting.losses(exact, z[:N_LOSS], noise)
    found["own_learned"] = setting.losses(learned, z[:N_LOSS], noise)
    found |= memory(setting)

    start = setting.noise(5000)
    root = torch.linalg.cholesky(z.T.cov())
    drawn = {
        "normal": start,
        "gaussian": z.mean(0) + start @ root.T,
        "mixture": mixture.sample(5000, generator=generator),
        "flow": flow.sample(5000, generator=generator).detach(),
        "aggregate": VAE.reparameterize(setting.mu[:5000], setting.logvar[:5000], generator),
    }
    found["frechet"] = {name: setting.frechet(each) for name, each in drawn.items()}
    found["frechet"] |= setting.both_ways(learned, start) | setting.ends()
    found["steps_sde"] = [
        setting.frechet(sample_sde(learned, start, n, generator=generator)) for n in CALLS
    ]
    found["steps_ode"] = [setting.frechet(sample_ode(learned, start, n // 2)) for n in CALLS]
    return found | {"deviation": rounded(z.std().item())}


def scale(dim: int, seed: int, factor: float) -> dict[str, Any]:
    setting = Setting(dim, seed)
    learned = setting.taught(factor * setting.mu, setting.logvar + 2 * math.log(factor))
    z = sample_sde(learned, setting.noise(5000), 100, generator=setting.generator)
    loss = setting.losses(learned, factor * setting.held[:N_LOSS], setting.noise(N_LOSS))
    return {"frechet": setting.frechet(z / factor), "loss": loss}


def guidance(dim: int, seed: int) -> dict[str, Any]:
    setting = Setting(dim, seed)
    denoiser = Denoiser(dim, n_classes=10)
    fit(
        denoiser,
        setting.mu,
        setting.logvar,
        setting.labels,
        n_steps=STEPS,
        drop=0.2,
        generator=setting.generator,
    )
    of_class = [Mixture.fitted(setting.z[setting.labels == c], 5, seed) for c in range(10)]
    shares = setting.labels.bincount(minlength=10) / len(setting.labels)
    fields = [noised(each) for each in of_class]
    every = NoisedMixture(
        torch.cat([each.means for each in of_class]),
        torch.cat([each.logvars for each in of_class]),
        torch.cat([p * m.log_weights.exp() for p, m in zip(shares, of_class, strict=True)]),
    )

    def within(z: Tensor, labels: Tensor) -> float:
        return sum(z[labels == c].var(0).sum().item() for c in range(10)) / 10

    true = within(setting.held, setting.held_labels)
    found: dict[str, Any] = {"accuracy": {}, "spread": {}}
    asked = torch.arange(10).repeat_interleave(500)
    for way in ("learned", "mixture"):
        accuracy, spread = [], []
        for weight in (0.0, 1.0, 3.0):
            draws = []
            for c in range(10):
                told = torch.full((500,), c)
                field = denoiser.given(told) if way == "learned" else fields[c]
                without = denoiser if way == "learned" else every
                draws.append(
                    sample_sde(
                        guided(field, without, weight),
                        setting.noise(500),
                        50,
                        generator=setting.generator,
                    )
                )
            z = torch.cat(draws)
            with torch.no_grad():
                read = judge()(setting.model.decode(z)).argmax(1)
            accuracy.append(rounded((read == asked).double().mean().item()))
            spread.append(rounded(within(z, asked) / true))
        found["accuracy"][way], found["spread"][way] = accuracy, spread
    return found


def longer(dim: int, seed: int) -> dict[str, Any]:
    setting = Setting(dim, seed)
    mixture = Mixture.fitted(setting.z, 50, seed)
    denoisers = {
        "learned": setting.taught(setting.mu, setting.logvar),
        "longer": setting.taught(setting.mu, setting.logvar, 256, LONG),
    }
    noise, start = setting.noise(N_LOSS), setting.noise(5000)
    found: dict[str, Any] = {}
    for name, field in {"mixture": noised(mixture), **denoisers}.items():
        found[f"loss_{name}"] = setting.losses(field, setting.held[:N_LOSS], noise)
        found[f"own_{name}"] = setting.losses(field, setting.z[:N_LOSS], noise)
    found["frechet"] = {
        "mixture": setting.frechet(mixture.sample(5000, generator=setting.generator)),
        **{name: setting.both_ways(each, start) for name, each in denoisers.items()},
    }
    found |= copies(setting, setting.z, {"mixture": noised(mixture), **denoisers})
    for name, width, n_steps in (("wide", 256, STEPS), ("long", 128, LONG)):
        apart = setting.taught(setting.mu, setting.logvar, width, n_steps)
        found["frechet"][name] = setting.both_ways(apart, start)
    for n in LARGER:
        larger = Mixture.fitted(setting.z, n, seed).sample(5000, generator=setting.generator)
        found["frechet"][f"mixture_{n}"] = setting.frechet(larger)
    return found


def others(dim: int, seed: int) -> dict[str, Any]:
    setting = Setting(dim, seed, OTHERS)
    mixture = Mixture.fitted(setting.z, 50, seed)
    learned = setting.taught(setting.mu, setting.logvar)
    start = setting.noise(5000)
    return {
        "frechet": {
            "normal": setting.frechet(start),
            "mixture": setting.frechet(mixture.sample(5000, generator=setting.generator)),
            **setting.both_ways(learned, start),
            **setting.ends(),
        }
    }


def row(part: str, dim: int, seed: int, factor: float) -> dict[str, Any]:
    """Measure one seed of one part."""
    whole = {"fields": fields, "guidance": guidance, "longer": longer, "others": others}
    if part in whole:
        return whole[part](dim, seed)
    return scale(dim, seed, factor)


def points() -> list[dict[str, Any]]:
    """Return the grid: whole seeds first, so that a run that is stopped has some of each part."""
    found: list[dict[str, Any]] = []
    for seed in range(SEEDS):
        for dim in MODELS:
            found.append({"part": "fields", "dim": dim, "seed": seed, "factor": 1.0})
            found += [
                {"part": "scale", "dim": dim, "seed": seed, "factor": factor}
                for factor in (0.1, 10.0)
            ]
        found.append({"part": "guidance", "dim": 16, "seed": seed, "factor": 1.0})
        found.append({"part": "longer", "dim": 16, "seed": seed, "factor": 1.0})
        found += [{"part": "others", "dim": dim, "seed": seed, "factor": 1.0} for dim in OTHERS]
    return found


def interval(values: list[float]) -> list[float]:
    half = stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values)
    half /= math.sqrt(len(values))
    centre = statistics.mean(values)
    return [rounded(centre - half), rounded(centre + half)]


def summarize(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the intervals that decide."""

    def of(part: str, dim: int, factor: float = 1.0) -> list[dict[str, Any]]:
        return [r for r in rows if (r["part"], r["dim"], r["factor"]) == (part, dim, factor)]

    def best(ways: dict[str, float]) -> float:
        return min(ways["sde"], ways["ode"])

    def better(r: dict[str, Any]) -> float:
        return best(r["frechet"])

    at = RATIOS.index(4.0)
    plane, deep = of("fields", 2), of("fields", 16)

    def gap(r: dict[str, Any]) -> float:
        return float(r["loss_learned"][at] - r["loss_posteriors"][at])

    found: dict[str, list[float]] = {
        "learned_beats_posteriors_16": [gap(r) for r in deep],
        "posteriors_beat_learned_2": [gap(r) for r in plane],
        "mixture_beats_learned_16": [better(r) - r["frechet"]["mixture"] for r in deep],
        "ode_needs_fewer": [
            r["steps_ode"][CALLS.index(20)] - r["steps_sde"][CALLS.index(20)] for r in deep
        ],
        "guidance_accuracy": [
            r["accuracy"]["learned"][2] - r["accuracy"]["learned"][0] for r in of("guidance", 16)
        ],
        "guidance_spread": [
            r["spread"]["learned"][2] - r["spread"]["learned"][0] for r in of("guidance", 16)
        ],
    }
    long = of("longer", 16)
    found["longer_mixture_16"] = [
        best(r["frechet"]["longer"]) - r["frechet"]["mixture"] for r in long
    ]
    found["longer_helps_16"] = [
        best(r["frechet"]["learned"]) - best(r["frechet"]["longer"]) for r in long
    ]
    found["longer_loss_16"] = [r["loss_longer"][at] - r["loss_learned"][at] for r in long]
    found["longer_larger_16"] = [
        r["frechet"]["mixture_200"] - best(r["frechet"]["longer"]) for r in long
    ]
    found["longer_copies_16"] = [r["copies_longer"] - r["copies_mixture"] for r in long]
    for name, apart in {"width_helps_16": "wide", "steps_help_16": "long"}.items():
        found[name] = [best(r["frechet"]["learned"]) - best(r["frechet"][apart]) for r in long]
    for dim in OTHERS:
        found[f"others_mixture_{dim}"] = [
            better(r) - r["frechet"]["mixture"] for r in of("others", dim)
        ]
    for dim, here in {2: plane, 16: deep}.items():
        found[f"points_copy_{dim}"] = [r["copies_points"] for r in here]
        found[f"learned_copies_less_{dim}"] = [
            r["copies_points"] - r["copies_learned"] for r in here
        ]
        found[f"learned_beats_normal_{dim}"] = [r["frechet"]["normal"] - better(r) for r in here]
        plain = {r["seed"]: r["frechet"]["sde"] for r in here}
        for name, factor in {"small_harms": 0.1, "large_harmless": 10.0}.items():
            found[f"{name}_{dim}"] = [
                r["frechet"] - plain[r["seed"]] for r in of("scale", dim, factor)
            ]
    return {name: interval(values) for name, values in found.items()}


def weights_used(part: str, dim: int, seed: int, factor: float) -> list[str]:
    """Return what decides a row beside this file."""
    model = OTHERS[dim] if part == "others" else MODELS[dim]
    return [recipes.load(name).card["sha256"] for name in (model, JUDGE)]


latent_diffusion = Experiment(
    "latent_diffusion",
    row,
    points(),
    uses=weights_used,
    about={"ratios": RATIOS, "calls": CALLS, "train": N_TRAIN, "known": N_KNOWN},
    summarize=summarize,
)
