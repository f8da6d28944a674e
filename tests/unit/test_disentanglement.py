"""MIG, DCI and SAP on codes whose scores are known, and their parts against scikit-learn."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mutual_info_score

from vaebook.measures import disentanglement


def grid(*counts, repeats=1):
    """Every combination of so many values of each factor, [N, K]: independent by construction."""
    axes = [torch.arange(float(count)) for count in counts]
    return torch.cartesian_prod(*axes).repeat(repeats, 1)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# ---------------------------------------------------------------------------------------------
# Codes that are the factors


def test_codes_that_are_the_factors_score_one():
    factors = grid(10, 8, 5, repeats=5)
    assert disentanglement.mutual_information_gap(factors, factors) == pytest.approx(1)
    assert disentanglement.sap(factors, factors) == pytest.approx(1)
    found = disentanglement.dci(factors, factors)
    for score in found[:3]:
        assert score == pytest.approx(1, abs=1e-3)
    torch.testing.assert_close(found.importance, torch.eye(3).double(), atol=1e-3, rtol=0)


@given(
    st.permutations(range(3)), st.lists(st.sampled_from([-2.0, 0.3, 5.0]), min_size=3, max_size=3)
)
def test_order_sign_and_scale_of_the_codes_change_nothing(order, scale):
    factors = grid(6, 5, 4)
    codes = factors[:, list(order)] * torch.tensor(scale) + 0.7
    assert disentanglement.mutual_information_gap(codes, factors) == pytest.approx(1)
    assert disentanglement.sap(codes, factors) == pytest.approx(1)


def test_codes_of_noise_score_zero():
    factors, codes = grid(10, 10, repeats=100), draw(10_000, 4)
    # The plug-in information is about 19 * 9 / 20,000 = 0.009 nats too large in all codes alike.
    assert disentanglement.mutual_information_gap(codes, factors) < 0.003
    assert disentanglement.sap(codes, factors) < 0.003
    assert disentanglement.dci(codes, factors).informativeness < 0.01


def test_a_turn_by_45_degrees_takes_the_separation_and_leaves_the_information():
    factors = grid(12, 12, repeats=10)
    codes = torch.stack([factors.sum(1), factors[:, 0] - factors[:, 1]], dim=1)
    # Each code holds half of the variance of each factor, and as much information on both.
    assert disentanglement.sap(codes, factors) == pytest.approx(0, abs=1e-6)
    assert disentanglement.mutual_information_gap(codes, factors) < 0.02
    found = disentanglement.dci(codes, factors)
    assert found.disentanglement < 0.05
    assert found.completeness < 0.05
    assert found.informativeness > 0.98


def test_a_factor_that_two_codes_hold_has_no_gap():
    factors = grid(10, 8)
    codes = factors[:, [0, 0, 1]]
    # 0 for the first factor, 1 for the second.
    assert disentanglement.mutual_information_gap(codes, factors) == pytest.approx(0.5)
    assert disentanglement.sap(codes, factors) == pytest.approx(0.5)


def test_a_code_of_two_factors_is_complete_and_not_disentangled():
    factors = grid(4, 4, repeats=60)
    codes = torch.stack([4 * factors[:, 0] + factors[:, 1], draw(960)], dim=1)
    found = disentanglement.dci(codes, factors)
    assert found.informativeness > 0.99
    assert found.completeness > 0.95
    assert found.disentanglement < 0.1


# ---------------------------------------------------------------------------------------------
# Codes of which the scores are computed by hand


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5])
def test_the_gap_of_a_binary_channel_is_one_minus_its_entropy(share):
    n = 1000
    flipped = torch.zeros(n)
    flipped[: round(share * n)] = 1
    bit, other = grid(2, 2).repeat(n, 1).T
    noise = flipped.repeat_interleave(4)
    codes = torch.stack([(bit + noise) % 2, other], dim=1)
    entropy = -sum(p * math.log2(p) for p in (share, 1 - share) if p)
    expected = (1 - entropy + 1) / 2
    factors = torch.stack([bit, other], dim=1)
    found = disentanglement.mutual_information_gap(codes, factors)
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("noise", [0.5, 1.0, 3.0])
def test_sap_of_a_noisy_code_is_the_share_of_the_signal(noise):
    factors = draw(200_000, 1).sign() * 2
    codes = torch.cat([factors + noise * draw(200_000, 1, seed=1), draw(200_000, 1, seed=2)], 1)
    # The standard error of a squared correlation is at most 2 / sqrt(N) = 0.005.
    expected = 4 / (4 + noise**2)
    assert disentanglement.sap(codes, factors) == pytest.approx(expected, abs=0.01)


def test_entropies_of_an_importance_matrix_are_those_computed_by_hand():
    rows = torch.tensor([[0.5, 0.5], [1.0, 0.0], [0.0, 0.0], [3.0, 1.0]]).double()
    quarter = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    expected = torch.tensor([1.0, 0.0, 1.0, quarter]).double()
    torch.testing.assert_close(disentanglement._relative_entropy(rows), expected)


def test_disentanglement_weighs_codes_by_their_importance():
    factors = grid(6, 6, repeats=30)
    codes = torch.cat([factors + 0.5 * draw(1080, 2), draw(1080, 2, seed=1)], dim=1)
    found = disentanglement.dci(codes, factors)
    r = found.importance
    shares = r / r.sum(1, keepdim=True)
    entropy = torch.tensor([-sum(p * math.log2(p) for p in row if p) for row in shares.tolist()])
    expected = (r.sum(1) / r.sum() * (1 - entropy)).sum().item()
    assert found.disentanglement == pytest.approx(expected)
    assert 0.5 < found.disentanglement < 0.95
    torch.testing.assert_close(r.sum(0), torch.ones(2).double())


# ---------------------------------------------------------------------------------------------
# The parts against scikit-learn


@given(st.integers(0, 2**31), st.integers(2, 30))
def test_mutual_information_is_scikit_learns_of_the_binned_codes(seed, bins):
    codes, factors = draw(300, 2, seed=seed), grid(5, 6, repeats=10)
    codes[:, 0] += factors[:, 0]
    found = disentanglement.mutual_information(codes, factors, bins)
    for j in range(2):
        column = codes[:, j].double()
        edges = torch.linspace(float(column.min()), float(column.max()), bins + 1).double()
        binned = torch.bucketize(column, edges[1:-1], right=True)
        for k in range(2):
            expected = mutual_info_score(binned, factors[:, k])
            # A code on an edge may fall to either side of it.
            assert found[j, k].item() == pytest.approx(expected, abs=0.02)


def test_sap_is_the_gap_of_two_regressions():
    factors = grid(7, 5, repeats=8)
    codes = factors @ draw(2, 4, seed=3) + draw(280, 4)
    gaps = []
    for k in range(2):
        scores = sorted(
            LinearRegression()
            .fit(codes[:, [j]], factors[:, k])
            .score(codes[:, [j]], factors[:, k])
            for j in range(4)
        )
        gaps.append(scores[-1] - scores[-2])
    assert disentanglement.sap(codes, factors) == pytest.approx(sum(gaps) / 2, abs=1e-5)


def test_dead_codes_count_by_their_means_and_not_by_their_draws():
    """A dimension whose means follow a factor with a deviation of 0.001 is noise in a draw."""
    factors = grid(10, 10, repeats=10)
    means = torch.cat([factors, 0.001 * factors[:, :1]], dim=1)
    draws = means + torch.tensor([0.01, 0.01, 1.0]) * draw(1000, 3)
    assert disentanglement.sap(means, factors) == pytest.approx(0.5, abs=1e-5)
    assert disentanglement.sap(draws, factors) > 0.98


# ---------------------------------------------------------------------------------------------
# What is refused


SCORES = [disentanglement.mutual_information_gap, disentanglement.sap, disentanglement.dci]


@pytest.mark.parametrize("score", SCORES)
def test_what_is_no_pair_of_tables_is_refused(score):
    factors = grid(3, 3)
    for codes in (draw(9), draw(8, 2), draw(9, 2, 1)):
        with pytest.raises(ValueError, match=r"codes and factors must be \[N, D\] and \[N, K\]"):
            score(codes, factors)
    with pytest.raises(ValueError, match="codes must be finite"):
        score(torch.full((9, 2), torch.nan), factors)
    with pytest.raises(ValueError, match="factor 1 is constant"):
        score(draw(9, 2), torch.cat([factors[:, :1], torch.ones(9, 1)], dim=1))
    with pytest.raises(ValueError, match="codes"):
        score(draw(9, 1), factors)


def test_a_continuous_factor_has_no_entropy_and_is_refused():
    with pytest.raises(ValueError, match="factor 0 has 100: bin it first"):
        disentanglement.mutual_information_gap(draw(100, 2), draw(100, 1))
    with pytest.raises(ValueError, match="bins must be at least 2, got 1"):
        disentanglement.mutual_information(draw(9, 2), grid(3, 3), bins=1)
