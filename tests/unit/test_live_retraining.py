"""Small VAEs that a notebook trains anew, and the pictures that stand for them on a page."""

import base64
import math
import re
import time
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch.nn import functional as F

from tests.unit.kernel_widgets import blobs, press, widgets
from vaebook import live
from vaebook.datasets import ImageSet
from vaebook.live import handed, retraining
from vaebook.live.retraining import (
    _Anchored,
    _Priced,
    _shades,
    _Shown,
    _small,
    _Told,
    _WithPrior,
)
from vaebook.models.priors import StandardNormal

pytestmark = pytest.mark.slow

KNOWN = {1.0: (5.0, 1.0), 10.0: (1.0, 2.0)}


@pytest.mark.parametrize(
    ("make", "words", "slow"),
    [
        (live.train_again, "train again", (retraining, "MLPEncoder")),
        (live.train_anchored, "train again", (retraining, "MLPEncoder")),
        (
            partial(live.train_at_price, known=KNOWN, noise=0.1),
            "train at this price",
            (retraining, "MLPEncoder"),
        ),
        (live.train_to_tell, "train and tell", (retraining, "MLPEncoder")),
        (live.train_with_prior, "train with this prior", (retraining, "MLPEncoder")),
        (live.train_on_own, "train", (handed, "for_images")),
    ],
)
def test_a_cell_that_draws_during_a_run_draws_what_it_draws_alone(make, words, slow, monkeypatch):
    network = getattr(*slow)

    def tarry(*args):
        made = network(*args)
        time.sleep(0.05)  # the numbers of the process are the model's for so long
        return made

    found = widgets(make(blobs(), alt="Train."))
    monkeypatch.setattr(*slow, tarry)
    torch.manual_seed(3)
    found[words].click()
    drawn = []
    while found[words].disabled:
        drawn.append(torch.rand(()).item())
        time.sleep(1e-3)
    torch.manual_seed(3)
    assert len(drawn) > 2  # some while the model is made, on a busy machine too
    assert drawn == [torch.rand(()).item() for _ in drawn]


def test_a_set_that_is_sorted_by_class_is_shown_whole():
    images = torch.rand(1500, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    shown = _Shown(ImageSet(images, torch.arange(1500) // 500))
    assert shown.names == ["0", "1", "2"]
    # A thousand of them drawn at random: a third of each class, give or take four errors.
    assert all(abs(n - 1000 / 3) < 35 for n in shown.labels.bincount().tolist())


def test_a_figure_that_is_shown_again_begins_with_its_first_run():
    again = live.train_again(blobs(), alt="Train again.")
    priced = live.train_at_price(blobs(), KNOWN, noise=0.1, alt="A price.")
    for figure, words, part, value in (
        (again, "train again", "LiveWidget", "config"),
        (priced, "train at this price", "HTML 3", "value"),
    ):
        found = widgets(figure)
        first = getattr(found[part], value)
        found["β"].value = 10.0
        press(found, words)
        assert getattr(found[part], value) != first
        assert getattr(widgets(figure)[part], value) == first


def test_a_run_that_is_stopped_shows_no_more():
    found = widgets(live.train_again(blobs(), alt="Train again."))
    found["hidden units"].value = 256
    shown = []
    found["LiveWidget"].observe(lambda _: shown.append(1), "config")

    def stop_in_the_first(change):
        if change["new"] == "epoch 1 of 12":
            found["stop"].click()

    found["HTML"].observe(stop_in_the_first, "value")
    press(found, "train again")
    assert (found["HTML"].value, len(shown)) == ("stopped", 1)


def test_the_curve_lies_between_the_least_loss_there_is_and_that_of_the_mean_image():
    shown = _Shown(blobs())
    x = shown.train.images
    least = F.binary_cross_entropy(x, x, reduction="none").flatten(1).sum(1).mean()
    mean = x.mean(0, keepdim=True).expand_as(x)
    top = F.binary_cross_entropy(mean, x, reduction="none").flatten(1).sum(1).mean()
    assert shown.floor == pytest.approx(least.item(), rel=1e-5)
    assert shown.ceiling == pytest.approx((top - least).item(), rel=1e-4)
    shown.run(_small(shown.train, 16, 2, seed=0), 0.3, seed=0)
    history = shown.config["history"]
    loss = [sum(pair) for pair in zip(history["pixels"], history["price"], strict=True)]
    assert len(loss) == 12
    assert min(history["pixels"]) > 0
    assert loss[-1] < loss[0]
    assert loss[-1] < shown.ceiling


def test_a_click_trains_with_what_is_chosen_and_changes_no_random_numbers_of_the_process():
    found = widgets(live.train_again(blobs(), alt="Train again."))
    drawn = found["LiveWidget"]
    first = drawn.config
    torch.manual_seed(3)
    before = torch.get_rng_state()
    found["latents"].value = 5
    found["seed"].value = 4
    press(found, "train again")
    assert torch.equal(torch.get_rng_state(), before)
    assert drawn.config["history"] != first["history"]
    assert len(set(drawn.config["axes"])) == 2
    assert not found["train again"].disabled
    for key, value in (("latents", 2), ("seed", 0)):
        found[key].value = value
    press(found, "train again")
    assert drawn.config == first  # a run repeats itself


@pytest.mark.parametrize("figure", [live.train_again, live.train_to_tell, live.train_with_prior])
@pytest.mark.parametrize(
    ("train", "message"),
    [
        (blobs(63), "64 labelled images or more"),
        (ImageSet(torch.zeros(64, 1, 4, 4)), "64 labelled images or more"),
        (torch.zeros(64, 1, 4, 4), "train must be a ImageSet, got Tensor"),
    ],
)
def test_few_images_are_refused(train, message, figure):
    with pytest.raises(ValueError, match=message):
        figure(train, alt="x")


def test_the_codes_of_a_class_follow_its_anchor():
    found = widgets(live.train_anchored(blobs(960), alt="Anchors."))
    assert found["0"].value == "↙ bottom left"
    means = {}
    for place in ("↙ bottom left", "↗ top right"):
        found["0"].value, found["1"].value = place, "free"
        press(found, "train again")
        drawn = found["LiveWidget"].config["plane"]["points"]
        numbers = (
            np.frombuffer(base64.b64decode(drawn["data"]), "<u2").reshape(-1, 3).astype(float)
        )
        codes = drawn["extent"] * (2 * numbers[:, :2] / 65535 - 1)
        means[place] = codes[numbers[:, 2] == 0].mean(0)
    # Six units from the origin.
    assert means["↗ top right"] == pytest.approx([4.2, 4.2], abs=1.5)
    assert means["↙ bottom left"] == pytest.approx([-4.2, -4.2], abs=1.5)


def test_the_anchored_kl_is_that_of_two_gaussians():
    anchors = torch.tensor([[3.0, -1.0], [0.0, 0.0]])
    prior, batch = _Anchored(anchors), blobs()[:5]
    mu, logvar = torch.randn(2, 5, 2, generator=torch.Generator().manual_seed(0))
    q = torch.distributions.Normal(mu, (logvar / 2).exp())
    p = torch.distributions.Normal(anchors[batch.labels], 1.0)
    truth = torch.distributions.kl_divergence(q, p).sum(1)
    assert torch.allclose(prior.kl(mu, logvar, prior.condition(batch)), truth, atol=1e-5)


@pytest.mark.parametrize("kinds", [1, 13])
def test_classes_that_have_no_menu_each_are_refused(kinds):
    images = ImageSet(torch.rand(64, 1, 4, 4), torch.arange(64) % kinds)
    with pytest.raises(ValueError, match=f"two to twelve classes, got {kinds}"):
        live.train_anchored(images, alt="x")


def test_a_higher_price_lands_further_to_the_left():
    priced = _Priced(blobs(640), sorted(KNOWN.values()), noise=0.1)
    landed = []
    for beta in (1.0, 300.0):
        settings = {"beta": beta, "latents": 3, "seed": 0}
        priced.run(priced.make(settings), settings)
        landed.append((priced.rate, priced.error))
        assert sum(priced.rates) == pytest.approx(priced.rate, rel=1e-4)
    assert landed[1][0] < landed[0][0] / 2
    # With next to no code the best picture is the mean: noise and variance of the pixels remain.
    x = priced.noisy.images
    mean = (x - priced.train.images.mean(0)).square().flatten(1).sum(1).mean().item()
    noise = 0.01 * x[0].numel()
    assert noise < landed[0][1] < landed[1][1] < 1.2 * mean
    assert list(priced.marks().values()) == ["β = 1", "β = 300"]


def test_known_models_are_pairs_or_lists_of_two():
    priced = partial(live.train_at_price, blobs(), noise=0.1, alt="A price.")
    mixed = {1.0: [5.0, 1.0], 10.0: (1.0, 2.0)}
    assert priced(mixed).pictures == priced(KNOWN).pictures


def test_each_price_leaves_its_point_in_the_picture():
    found = widgets(live.train_at_price(blobs(), KNOWN, noise=0.1, alt="A price."))
    before = found["HTML 2"].value, found["HTML 3"].value
    found["β"].value, found["latents"].value = 10.0, 2
    press(found, "train at this price")
    assert found["HTML"].value == "trained for 12 epochs"
    assert found["HTML 2"].value.count("latent ") == 2
    assert before[0].count("latent ") == 6
    drawn = re.search('base64,([^"]*)"', found["HTML 3"].value).group(1)
    assert all(f"β = {beta}<" in base64.b64decode(drawn).decode() for beta in (1, 10))


def drawn_words(found):
    """What is written in the picture of rates and errors, and its description."""
    source = found["HTML 3"].value
    drawn = base64.b64decode(re.search('base64,([^"]*)"', source).group(1)).decode()
    return re.findall(">(β = [^<]*)<", drawn), re.search('alt="([^"]*)"', source).group(1)


def test_runs_at_one_price_are_told_apart_and_all_are_described():
    found = widgets(live.train_at_price(blobs(), KNOWN, noise=0.1, alt="A price."))
    assert drawn_words(found)[0] == ["β = 1"]
    found["latents"].value = 2
    press(found, "train at this price")
    assert drawn_words(found)[0] == ["β = 1, 6 latents", "β = 1, 2 latents"]
    found["seed"].value = 3
    press(found, "train at this price")
    found["β"].value = 10.0
    press(found, "train at this price")
    at_one = [f"β = 1, {run}" for run in ("6 latents, seed 0", "2 latents, seed 0")]
    marks, alt = drawn_words(found)
    assert marks == [*at_one, "β = 1, 2 latents, seed 3", "β = 10"]
    assert all(f"{mark}: " in alt for mark in marks)
    press(found, "train at this price")  # once more the same
    assert drawn_words(found)[0] == marks


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": blobs(63)}, "train must be 64 images or more"),
        ({"known": {1.0: (5.0, 1.0)}}, "two models or more, got 1"),
        ({"known": {1.0: 5.0, 2.0: 3.0}}, r"must map beta to \(rate, squared error\), got 5.0"),
        ({"noise": 0.0}, "noise must"),
    ],
)
def test_what_gives_no_curve_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        live.train_at_price(
            **{"train": blobs(), "known": KNOWN, "noise": 0.1, "alt": "x"} | change
        )


def test_the_class_that_is_told_is_that_of_the_nearest_code():
    told = _Told(blobs(200))
    settings = {"latents": 2, "width": 32, "seed": 1}
    model = told.make(settings)
    told.run(model, settings)
    nearest = KNeighborsClassifier(1)
    with torch.no_grad():
        nearest.fit(model.codes(told.train).mu, told.train.labels)
        right = nearest.score(model.codes(told.aside).mu, told.aside.labels)
    assert told.rows["2 latents, 32 hidden units, seed 1"] == f"{100 * right:.0f} % right"
    assert right > 0.9  # light on the left is told from light on the right


def test_classes_that_no_image_shows_are_told_as_often_as_a_guess_is_right():
    noise = torch.rand(1000, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    told = _Told(ImageSet(noise, (torch.arange(1000) % 4 == 0).long()))
    settings = {"latents": 2, "width": 32, "seed": 0}
    told.run(told.make(settings), settings)
    guess, found = (float(words.split()[0]) for words in told.rows.values())
    # Of 200 images three quarters are of one class; neighbours say so for three quarters of them.
    assert guess == pytest.approx(75, abs=12)
    assert found == pytest.approx(100 * (0.75**2 + 0.25**2), abs=15)


def test_each_run_leaves_its_row_in_the_table():
    found = widgets(live.train_to_tell(blobs(), alt="Two classes."))
    before = found["HTML 2"].value
    assert before.count("latents") == 1
    found["latents"].value = 5
    press(found, "train and tell")
    assert found["HTML"].value == "trained for 12 epochs"
    rows = found["HTML 2"].value
    assert rows.startswith(before.removesuffix("</table>"))
    assert "5 latents, 128 hidden units, seed 0" in rows
    press(found, "train and tell")  # once more the same
    assert found["HTML 2"].value == rows


def test_the_shades_of_the_normal_are_discs_that_hold_half_nine_tenths_and_all_but_a_hundredth():
    draws = torch.randn(100_000, 2, generator=torch.Generator().manual_seed(0))
    shades = _shades(StandardNormal(2), draws, torch.tensor([0.5, 0.0]), half=4.0)
    cell = (8 / 139) ** 2
    for k, outside in enumerate((0.01, 0.1, 0.5), 1):
        area = (shades >= k / 3 - 1e-9).sum().item() * cell
        # The disc of radius r leaves exp(-r^2 / 2) outside.
        assert area == pytest.approx(-2 * math.pi * math.log(outside), rel=0.03)
    assert shades[0, 70] == 0  # 3.5 to the left of the origin, which is 0.5 left of the middle
    assert shades[-1, 70] == 0
    assert shades[139 // 2 - 8, 70] == 1


@pytest.mark.parametrize("kind", ["N(0, I)", "mixture", "VampPrior"])
def test_a_prior_is_trained_along_with_its_model(kind):
    runs = _WithPrior(blobs(320))
    settings = {"prior": kind, "parts": 5, "seed": 2}
    model = runs.make(settings)
    before = {name: value.clone() for name, value in model.prior.named_parameters()}
    runs.run(model, settings)
    assert bool(before) is (kind != "N(0, I)")
    assert not any(
        torch.equal(before[name], value) for name, value in model.prior.named_parameters()
    )
    ((run, found),) = runs.rows.items()
    assert run == {"N(0, I)": "N(0, I), seed 2"}.get(kind, f"{kind} of 5, seed 2")
    elbo, rate = (float(word.replace("−", "-")) for word in found.split(", KL "))
    with torch.no_grad():
        codes = model.codes(runs.aside)
        noise = torch.randn(200, *codes.mu.shape, generator=torch.Generator().manual_seed(1))
        std = (codes.logvar / 2).exp()
        z = (codes.mu + std * noise).flatten(0, 1)
        log_q = torch.distributions.Normal(codes.mu, std).log_prob(z.view_as(noise)).sum(2)
        kl = (log_q.flatten() - model.prior.log_prob(z)).mean().item()
        mean = model.decode(z).clamp(1e-6, 1 - 1e-6).view(200, *runs.aside.images.shape)
        x = runs.aside.images
        cost = -(x * mean.log() + (1 - x) * (1 - mean).log()).flatten(2).sum(2).mean().item()
    # One draw for each of 64 images there, two hundred here.
    assert rate == pytest.approx(kl, abs=0.5)
    assert elbo == pytest.approx(-cost - kl, abs=0.7)


def test_each_prior_leaves_its_row_and_its_picture():
    found = widgets(live.train_with_prior(blobs(), alt="A prior."))
    before, seen = found["HTML 2"].value, found["HTML 3"].value
    assert "mixture of 10, seed 0" in before
    found["prior"].value = "VampPrior"
    found["of parts"].value = 2
    press(found, "train with this prior")
    assert found["HTML"].value == "trained for 12 epochs"
    assert found["HTML 2"].value.startswith(before.removesuffix("</table>"))
    assert "VampPrior of 2, seed 0" in found["HTML 2"].value
    assert "on the prior: VampPrior of 2, seed 0" in found["HTML 3"].value
    assert found["HTML 3"].value != seen
