"""The checks of arguments: what they let pass, and what they say of the rest."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from vaebook import _checks


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (torch.zeros(5, 2), ("N", "D")),
        (torch.zeros(5, 2).double(), ("N", 2)),
        (torch.zeros(3, 3), ("D", "D")),
        (torch.zeros(()), ()),
        (torch.zeros(4, 1, 3, 2), ("...", 3, "D")),
        (torch.zeros(2), ("...", "D")),
        (torch.zeros(5, 2, device="meta"), ("N", "D")),
        (torch.zeros(5, 2, requires_grad=True), ("N", "D")),
    ],
)
def test_float_tensors_of_the_shape_pass(value, shape):
    _checks.floats(value, "z", shape)


@pytest.mark.parametrize(
    ("value", "shape", "said"),
    [
        (torch.zeros(5, 2).long(), ("N", "D"), r"z must be a float tensor \[N, D\], got int64 of"),
        (torch.zeros(5, 2) > 0, ("N", "D"), "got bool of shape"),
        (torch.zeros(5, 2).half(), ("N", "D"), "got float16 of shape"),
        (torch.zeros(5, 2, dtype=torch.complex64), ("N", "D"), "got complex64 of shape"),
        (torch.zeros(5), ("N", "D"), r"of shape \[5\]"),
        (torch.zeros(0, 2), ("N", "D"), r"of shape \[0, 2\]"),
        (torch.zeros(2, 3), ("D", "D"), r"of shape \[2, 3\]"),
        (torch.zeros(2), ("...", 1, "D"), r"of shape \[2\]"),
        (np.zeros((5, 2)), ("N", "D"), "got ndarray"),
        ([[0.0, 1.0]], ("N", "D"), "got list"),
        (None, ("N", "D"), "got NoneType"),
    ],
)
def test_other_things_are_refused_by_name(value, shape, said):
    with pytest.raises(ValueError, match=said):
        _checks.floats(value, "z", shape)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_the_first_number_that_is_not_finite_is_named(bad):
    value = torch.zeros(3, 2)
    value[2, 1] = value[1, 0] = bad
    with pytest.raises(ValueError, match=r"z must be finite, got (nan|inf|-inf) at \[1, 0\]"):
        _checks.floats(value, "z", ("N", "D"))
    _checks.floats(value, "z", ("N", "D"), finite=False)


def test_numbers_that_are_too_large_are_named():
    value = torch.tensor([[0.0, -2e9]])
    with pytest.raises(ValueError, match=r"z must be at most 1e\+09 in size, got -2e\+09"):
        _checks.points(value, "z", ("N", "D"))
    _checks.points(value / 2, "z", ("N", "D"))


def test_integers_are_told_from_floats_and_bools():
    for dtype in (torch.uint8, torch.int16, torch.int32, torch.int64):
        _checks.integers(torch.zeros(3, dtype=dtype), "labels", ("N",))
    for value in (torch.zeros(3), torch.zeros(3) > 0, torch.zeros(3, 1).long(), [0, 1], None):
        with pytest.raises(ValueError, match=r"labels must be an integer tensor \[N\], got"):
            _checks.integers(value, "labels", ("N",))


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "1", None, math.nan])
def test_what_is_no_count_is_refused(value):
    with pytest.raises(ValueError, match="n must be a whole number, 1 or more, got"):
        _checks.count(value, "n")


@pytest.mark.parametrize("value", [True, "1", None, math.nan, math.inf, -0.1, 1.1, 10**400, [0.5]])
def test_what_is_no_number_in_the_range_is_refused(value):
    with pytest.raises(ValueError, match=r"share must be a finite number in \[0, 1\], got"):
        _checks.number(value, "share", 0, 1)


def test_the_ends_of_a_range_belong_to_it_unless_it_is_open():
    for end in (0, 1):
        _checks.number(end, "share", 0, 1)
        with pytest.raises(ValueError, match=r"share must be a finite number in \(0, 1\)"):
            _checks.number(end, "share", 0, 1, open=True)


def test_tensors_of_two_devices_or_types_are_named():
    here, there = torch.zeros(2), torch.zeros(2, device="meta")
    _checks.alike(a=here, b=here)
    with pytest.raises(ValueError, match="a and b must be on one device, got a on cpu, b on meta"):
        _checks.same_device(a=here, b=there)
    with pytest.raises(ValueError, match=r"a and b must be of one dtype, got a torch\.float32"):
        _checks.alike(a=here, b=here.double())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_root_times_its_transpose_is_the_covariance(dtype):
    root = torch.randn(4, 3, 3, generator=torch.Generator().manual_seed(0), dtype=dtype)
    covariance = root @ root.mT + 0.1 * torch.eye(3, dtype=dtype)
    found = _checks.cholesky(covariance, "covariance")
    assert found.dtype == torch.float64
    torch.testing.assert_close(found @ found.mT, covariance.double())
    assert (found.triu(1) == 0).all()


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_symmetry_and_definiteness_are_asked_for_at_every_scale(scale):
    with pytest.raises(ValueError, match="S must be symmetric"):
        _checks.cholesky(scale * torch.tensor([[1.0, 0.5], [0.4, 1.0]]), "S")
    with pytest.raises(ValueError, match="S must be positive definite"):
        _checks.cholesky(scale * torch.tensor([[1.0, 2.0], [2.0, 1.0]]), "S")
    nearly = scale * torch.tensor([[1.0, 0.5], [0.5 + 1e-7, 1.0]])
    _checks.cholesky(nearly, "S")


def test_a_tensor_suits_a_network_of_its_type_and_place_or_one_without_weights():
    network = nn.Linear(2, 2)
    _checks.suits(torch.zeros(1, 2), "z", network)
    _checks.suits(torch.zeros(1, 2).double(), "z", nn.Flatten())
    for value in (torch.zeros(1, 2).double(), torch.zeros(1, 2, device="meta")):
        with pytest.raises(ValueError, match=r"z must be torch\.float32 on cpu as the network is"):
            _checks.suits(value, "z", network)
    with torch.autocast("cpu", torch.bfloat16):
        _checks.suits(torch.zeros(1, 2).bfloat16(), "z", network)


DRAWS = {
    "randn": lambda like, generator: _checks.randn((1000,), like, generator),
    "rand": lambda like, generator: _checks.rand((1000,), like, generator),
    "bernoulli": lambda like, generator: _checks.bernoulli(like + 0.5, generator),
}


@pytest.mark.slow
@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_draws_have_the_type_and_place_of_what_they_are_like(draw):
    for like in (torch.zeros(1000), torch.zeros(1000).double()):
        first = draw(like, torch.Generator().manual_seed(0))
        assert first.dtype == like.dtype
        assert torch.equal(first, draw(like, torch.Generator().manual_seed(0)))
        assert not torch.equal(first, draw(like, torch.Generator().manual_seed(1)))
    for generator in (None, torch.Generator()):
        assert draw(torch.zeros(1000, device="meta"), generator).device.type == "meta"
    with pytest.raises(ValueError, match=r"generator must be a torch\.Generator or None, got 3"):
        draw(torch.zeros(1000), 3)


def test_orders_and_whole_numbers_are_drawn_where_they_are_wanted():
    generator = torch.Generator().manual_seed(0)
    order = _checks.permutation(50, torch.device("cpu"), generator)
    assert sorted(order.tolist()) == list(range(50))
    numbers = _checks.randint(3, 1000, torch.device("cpu"), generator)
    assert set(numbers.tolist()) == {0, 1, 2}
    assert _checks.randint(3, 5, torch.device("meta"), generator).device.type == "meta"
    assert _checks.permutation(5, torch.device("meta"), generator).device.type == "meta"
