"""MIG, SAP and DCI on codes whose scores are known, and their parts against scikit-learn."""

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


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed))


# ---------------------------------------------------------------------------------------------
# Codes that are the factors


def test_codes_that_are_the_factors_score_one():
    factors = grid(10, 8, 5, repeats=5)
    assert disentanglement.mutual_information_gap(factors, factors) == pytest.approx(1)
    assert disentanglement.sap(factors, factors) == pytest.approx(1)
    found = disentanglement.dci(factors, factors, generator=seeded())
    for score in found[:3]:
        assert score == pytest.approx(1, abs=1e-3)
    torch.testing.assert_close(found.importance, torch.eye(3), atol=1e-3, rtol=0)


@pytest.mark.slow
@given(
    st.permutations(range(3)), st.lists(st.sampled_from([-2.0, 0.3, 5.0]), min_size=3, max_size=3)
)
def test_order_sign_and_scale_of_the_codes_change_nothing(order, scale):
    factors = grid(6, 5, 4)
    codes = factors[:, list(order)] * torch.tensor(scale) + 0.7
    assert disentanglement.mutual_information_gap(codes, factors) == pytest.approx(1)
    assert disentanglement.sap(codes, factors) == pytest.approx(1)


@pytest.mark.slow
def test_codes_of_noise_score_zero():
    factors, codes = grid(10, 10, repeats=100), draw(10_000, 4)
    # The plug-in information is about 19 * 9 / 20,000 = 0.009 nats too large in all codes alike.
    assert disentanglement.mutual_information_gap(codes, factors) < 0.003
    assert disentanglement.sap(codes, factors) < 0.003
    assert disentanglement.dci(codes, factors, generator=seeded()).informativeness < 0.01


def test_a_turn_by_45_degrees_takes_the_separation_and_leaves_the_information():
    factors = grid(12, 12, repeats=10)
    codes = torch.stack([factors.sum(1), factors[:, 0] - factors[:, 1]], dim=1)
    # Each code holds half of the variance of each factor, and as much information on both.
    assert disentanglement.sap(codes, factors) == pytest.approx(0, abs=1e-6)
    assert disentanglement.mutual_information_gap(codes, factors) < 0.02
    found = disentanglement.dci(codes, factors, generator=seeded())
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
    found = disentanglement.dci(codes, factors, generator=seeded())
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
    found = disentanglement.dci(codes, factors, generator=seeded())
    r = found.importance
    shares = r / r.sum(1, keepdim=True)
    entropy = torch.tensor([-sum(p * math.log2(p) for p in row if p) for row in shares.tolist()])
    expected = (r.sum(1) / r.sum() * (1 - entropy)).sum().item()
    assert found.disentanglement == pytest.approx(expected)
    assert 0.5 < found.disentanglement < 0.95
    torch.testing.assert_close(r.sum(0), torch.ones(2))


# ---------------------------------------------------------------------------------------------
# The parts against scikit-learn


@pytest.mark.slow
@given(st.integers(0, 2**31), st.integers(2, 30))
def test_mutual_information_is_scikit_learns_of_the_binned_codes(seed, n_bins):
    codes, factors = draw(300, 2, seed=seed), grid(5, 6, repeats=10)
    codes[:, 0] += factors[:, 0]
    found = disentanglement.mutual_information(codes, factors, n_bins)
    for j in range(2):
        column = codes[:, j].double()
        # Three of 300 values lie beyond either end.
        low, high = column.sort().values[[3, -4]].tolist()
        edges = torch.linspace(low, high, n_bins + 1).double()
        binned = torch.bucketize(column, edges[1:-1], right=True)
        for k in range(2):
            expected = mutual_info_score(binned, factors[:, k])
            assert found[j, k].item() == pytest.approx(expected, abs=1e-6)


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
# Outliers and classes


@pytest.mark.parametrize("n_values", [(5, 4), (10, 10)])
def test_one_outlier_in_each_code_leaves_the_gap_of_near_perfect_codes(n_values):
    factors = grid(*n_values, repeats=1_000 // math.prod(n_values))
    codes = factors + 0.05 * draw(1_000, 2)
    before = disentanglement.mutual_information_gap(codes, factors)
    codes[17, 0] = codes[404, 1] = 1e4
    after = disentanglement.mutual_information_gap(codes, factors)
    assert after > 0.9
    assert after == pytest.approx(before, abs=0.01)


def test_a_few_values_are_bins_of_their_own_however_far_apart():
    # 1 % of the images have the second value, and code it as 1e6.
    factors = torch.stack([(torch.arange(1_000) % 100 == 0).float(), draw(1_000).sign()], dim=1)
    codes = factors * torch.tensor([1e6, 1.0])
    assert disentanglement.mutual_information_gap(codes, factors) > 0.99


def renumbered(labels, seed=0):
    """The same classes under other numbers."""
    names = torch.randperm(100, generator=seeded(seed))
    return names[labels]


def test_the_names_of_classes_mean_nothing():
    classes = grid(5, 4, repeats=40).long()
    codes = classes + 0.1 * draw(800, 2)
    assert disentanglement.sap(codes, classes) > 0.98
    others = torch.stack([renumbered(classes[:, k], k) for k in range(2)], dim=1)
    for score in (disentanglement.sap, disentanglement.mutual_information_gap):
        assert score(codes, others) == pytest.approx(score(codes, classes), rel=1e-9)
    one, two = (
        disentanglement.dci(codes, factors, generator=seeded()) for factors in (classes, others)
    )
    assert one[:3] == pytest.approx(two[:3], abs=0.005)
    assert one.informativeness > 0.98
    # As numbers in that order they would be hard to follow by a line.
    assert disentanglement.sap(codes, others.float()) < 0.9


@pytest.mark.slow
@given(seed=st.integers(0, 10_000), n_classes=st.integers(2, 6))
def test_sap_of_classes_is_the_share_of_the_variance_between_them(seed, n_classes):
    labels = torch.randint(n_classes, (60, 1), generator=seeded(seed))
    labels[:n_classes, 0] = torch.arange(n_classes)
    codes = draw(60, 3, seed=seed) + labels * torch.tensor([1.0, -0.3, 0.0])
    # Without that of class 0: beside an intercept all of them would not be independent.
    indicators = torch.nn.functional.one_hot(labels[:, 0])[:, 1:].numpy()
    shares = sorted(
        LinearRegression().fit(indicators, codes[:, j]).score(indicators, codes[:, j])
        for j in range(3)
    )
    assert disentanglement.sap(codes, labels) == pytest.approx(shares[-1] - shares[-2], abs=1e-5)


def test_two_classes_score_as_two_numbers():
    bits = grid(2, 2, repeats=50)
    codes = bits + 0.5 * draw(200, 2)
    found = disentanglement.sap(codes, bits.long())
    assert found == pytest.approx(disentanglement.sap(codes, bits), rel=1e-6)
    one = disentanglement.dci(codes, bits.long(), generator=seeded())
    two = disentanglement.dci(codes, bits, generator=seeded())
    assert one[:3] == pytest.approx(two[:3], abs=0.005)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1e-9, 1e6])
def test_no_score_looks_at_the_scale_of_codes_or_factors(scale):
    factors = grid(5, 4, repeats=20)
    codes = factors + 0.3 * draw(400, 2)
    expected = disentanglement.scores(codes, factors, seeded())
    for one, two in ((scale * codes, factors), (codes, scale * factors)):
        found = disentanglement.scores(one, two, seeded())
        assert found[:2] == pytest.approx(expected[:2], rel=1e-5)
        assert found.dci[:3] == pytest.approx(expected.dci[:3], abs=0.01)


def test_factors_by_name_are_the_columns_of_a_table():
    numbers, labels = grid(5, 4, repeats=20).T
    codes = torch.stack([numbers, labels], dim=1) + 0.3 * draw(400, 2)
    named = {"size": numbers, "shape": labels.long()}
    table = torch.stack([numbers, labels], dim=1)
    found = disentanglement.mutual_information(codes, named)
    torch.testing.assert_close(found, disentanglement.mutual_information(codes, table))
    assert disentanglement.sap(codes, {"size": numbers, "other": labels}) == pytest.approx(
        disentanglement.sap(codes, table)
    )


def test_all_scores_at_once_are_the_scores():
    factors = grid(5, 4, repeats=20)
    codes = factors + 0.3 * draw(400, 2)
    found = disentanglement.scores(codes, factors, generator=seeded())
    assert found.mig == disentanglement.mutual_information_gap(codes, factors)
    assert found.sap == disentanglement.sap(codes, factors)
    again = disentanglement.dci(codes, factors, generator=seeded())
    assert found.dci[:3] == again[:3]
    assert torch.equal(found.dci.importance, again.importance)


# ---------------------------------------------------------------------------------------------
# Numbers of many values


@pytest.mark.slow
def test_codes_that_are_continuous_factors_score_one():
    factors = torch.rand(5_000, 2, generator=seeded())
    found = disentanglement.scores(factors.flip(1), factors, seeded())
    # The plug-in information of the other code is about 19 * 19 / 10,000 = 0.04 of log 20 nats.
    assert found.mig == pytest.approx(1, abs=0.02)
    assert found.sap == pytest.approx(1, abs=0.01)
    assert found.dci.disentanglement > 0.99
    assert found.dci.informativeness > 0.99


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.3, 0.8, 0.95])
def test_the_information_of_correlated_gaussians_is_that_of_theirs(correlation):
    x, y = draw(200_000, 2).T
    y = correlation * x + math.sqrt(1 - correlation**2) * y
    found = disentanglement.mutual_information(x[:, None], y[:, None], n_bins=40)
    # Bins can only lose information; those of a fifth of a standard deviation lose little.
    expected = -0.5 * math.log(1 - correlation**2)
    assert 0.9 * expected < found.item() < expected + 0.005


def test_one_outlier_in_a_continuous_factor_leaves_the_gap():
    factors = torch.rand(2_000, 2, generator=seeded())
    codes = factors + 0.01 * draw(2_000, 2)
    before = disentanglement.mutual_information_gap(codes, factors)
    factors[5, 0] = 1e4
    after = disentanglement.mutual_information_gap(codes, factors)
    assert after == pytest.approx(before, abs=0.01)
    assert after > 0.7


# ---------------------------------------------------------------------------------------------
# What is refused


SCORES = [
    disentanglement.mutual_information_gap,
    disentanglement.sap,
    disentanglement.dci,
    disentanglement.scores,
]


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(
    ("codes", "factors", "message"),
    [
        (draw(9), grid(3, 3), r"codes must be a float tensor \[N, D\]"),
        (draw(8, 2), grid(3, 3), r"factors\[:, 0\] must be a float tensor \[8\]"),
        (draw(9, 2, 1), grid(3, 3), r"codes must be a float tensor \[N, D\]"),
        (draw(9, 2).long(), grid(3, 3), r"codes must be a float tensor .* got int64"),
        (draw(9, 2).numpy(), grid(3, 3), r"codes must be a float tensor .* got ndarray"),
        (torch.full((9, 2), torch.nan), grid(3, 3), "codes must be finite"),
        (draw(9, 2), grid(3, 3) * torch.nan, r"factors\[:, 0\] must be finite"),
        (draw(9, 2), grid(3, 3) > 1, r"factors\[:, 0\] must be an integer tensor .* got bool"),
        (draw(9, 2), grid(3, 3)[:, 0], r"factors must be a tensor \[N, K\] .* got \[9\]"),
        (draw(9, 2), [1, 2], "factors must be a tensor .* got list"),
        (draw(9, 2), {}, "factors must be one or more"),
        (draw(9, 2), {"a": [1] * 9}, r"factors\['a'\] must be a float tensor .* got list"),
        (draw(9, 2), grid(3, 3).to("meta"), "must hold values"),
        (draw(9, 2), grid(3, 3).long().to("meta"), "must be on one device"),
        (draw(9, 2), grid(9, 1), r"factors\[:, 1\] must vary"),
        (draw(9, 1), grid(3, 3), r"codes must be \[N, D\] with D > 1, got \[9, 1\]"),
        (draw(1, 2), draw(1, 2), r"codes must have at least 2 rows, got \[1, 2\]"),
    ],
)
def test_what_is_no_pair_of_tables_is_refused(score, codes, factors, message):
    with pytest.raises(ValueError, match=message):
        score(codes, factors)


def test_more_classes_than_fifty_are_refused():
    classes = torch.stack([torch.arange(102) % 2, torch.arange(102) % 51], dim=1)
    with pytest.raises(ValueError, match="factor 1 has 51: those that are numbers are to be"):
        disentanglement.mutual_information_gap(draw(102, 2), classes)
    with pytest.raises(ValueError, match="n_bins must be a whole number, 2 or more, got 1"):
        disentanglement.mutual_information(draw(9, 2), grid(3, 3), n_bins=1)


def test_forests_of_too_few_rows_are_refused():
    for n in (2, 3):
        with pytest.raises(ValueError, match="codes must have at least 4 rows"):
            disentanglement.dci(draw(n, 2), draw(n, 2))
    rare = torch.zeros(10, 2)
    rare[0, 0] = rare[5:, 1] = 1
    with pytest.raises(ValueError, match="factor 0 is constant in one half of 10 rows: too few"):
        disentanglement.dci(draw(10, 2), rare)
    with pytest.raises(ValueError, match="factors must be two or more, got 1"):
        disentanglement.dci(draw(9, 2), grid(3, 3)[:, :1])
    with pytest.raises(ValueError, match=r"generator must be a torch.Generator or None, got 0"):
        disentanglement.dci(draw(9, 2), grid(3, 3), generator=0)
