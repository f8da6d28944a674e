"""What the page computes of Gumbel-softmax, in node, against torch, and what it is given."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vaebook import live
from vaebook.live.bundle import bundle
from vaebook.models import gradients

LOGITS = torch.tensor([0.8, -0.3, 0.1]).double()
AIM = torch.tensor([1.0, -1.0, 0.5]).double()
ROWS = 400


def bend(y: Tensor) -> Tensor:
    return (y @ AIM).square() + y @ AIM


def noise() -> Tensor:
    """What `F.gumbel_softmax` draws after this seed."""
    torch.manual_seed(0)
    return -torch.empty(ROWS, 3).double().exponential_().log()


def asked(node: Callable[[str], str], code: str) -> Any:
    given = {"logits": LOGITS.tolist(), "aim": AIM.tolist(), "noise": noise().tolist()}
    script = f"const given = {json.dumps(given)};\n{bundle('relaxed.js')}"
    return json.loads(node(f"{script}\nconsole.log(JSON.stringify({code}));"))


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.05, 0.5, 3.0])
def test_the_pages_draws_and_their_gradient_are_those_of_torch(
    temperature: float, node: Callable[[str], str]
) -> None:
    found = asked(
        node,
        f"[relaxed(given.logits, given.noise, {temperature}),"
        f" gumbelSoftmax(given.logits, given.aim, given.noise, {temperature})]",
    )
    torch.manual_seed(0)
    rows = LOGITS.expand(ROWS, 3).clone().requires_grad_()
    y = F.gumbel_softmax(rows, tau=temperature)
    torch.testing.assert_close(torch.tensor(found[0]).double(), y.detach(), atol=1e-6, rtol=1e-5)
    (each,) = torch.autograd.grad(bend(y).sum(), rows)
    leaf = LOGITS.clone().requires_grad_()
    (exact,) = torch.autograd.grad(gradients.exact(leaf, bend), leaf)
    spread = each.var(0).sum()
    expected = {
        "bias": (each.mean(0) - exact).norm() / exact.norm(),
        "noise": spread.sqrt() / exact.norm(),
        "chance": (spread / ROWS).sqrt() / exact.norm(),
    }
    for key, value in expected.items():
        assert found[1][key] == pytest.approx(value.item(), rel=1e-5), key


@pytest.mark.slow
def test_the_page_knows_the_exact_gradient_and_straight_through(
    node: Callable[[str], str],
) -> None:
    found = asked(node, "[exact(given.logits, given.aim), straight(given.logits, given.aim)]")
    leaf = LOGITS.clone().requires_grad_()
    (exact,) = torch.autograd.grad(gradients.exact(leaf, bend), leaf)
    torch.testing.assert_close(torch.tensor(found[0]).double(), exact)
    corners = torch.eye(3).double().requires_grad_()
    (slopes,) = torch.autograd.grad(bend(corners).sum(), corners)
    mean, variance = gradients.straight_through_moments(LOGITS, slopes)
    assert found[1]["bias"] == pytest.approx(((mean - exact).norm() / exact.norm()).item())
    assert found[1]["noise"] == pytest.approx((variance.sqrt() / exact.norm()).item())
    assert found[1]["chance"] == 0


@pytest.mark.slow
def test_the_pages_noise_is_gumbels(node: Callable[[str], str]) -> None:
    entry = "const random = { state: 0, uniform() { return ((this.state += 1) - 0.5) / 3000; } };"
    code = f"(() => {{ {entry} return gumbels(random, 1000, 3).flat(); }})()"
    found = torch.tensor(asked(node, code)).sort().values
    quantiles = (torch.arange(3000) + 0.5) / 3000
    torch.testing.assert_close(found, -(-quantiles.log()).log(), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_the_figure_begins_where_it_is_told_and_has_a_triangle_for_print() -> None:
    shown = live.simplex(alt="A triangle.", temperature=2.0, probabilities=(0.2, 0.2, 0.6))
    temperature, *logits = shown.config["start"]
    assert temperature == 2
    torch.testing.assert_close(
        torch.tensor(logits).softmax(0), torch.tensor([0.2, 0.2, 0.6]), atol=5e-3, rtol=0
    )
    assert len(shown.pictures) == 4


def test_what_does_not_fit_is_refused_by_name() -> None:
    figure = partial(live.simplex, alt="A triangle.")
    for words, changes in {
        "temperature must be one of": {"temperature": 0.06},
        "probabilities must be three": {"probabilities": (0.5, 0.5)},
        "probabilities must sum to 1": {"probabilities": (0.5, 0.5, 0.5)},
        "each of probabilities": {"probabilities": (1.0, 0.0, 0.0)},
    }.items():
        with pytest.raises(ValueError, match=words):
            figure(**changes)
