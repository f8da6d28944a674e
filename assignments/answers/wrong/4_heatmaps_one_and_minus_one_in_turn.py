# one and minus one in turn
# loses: heatmaps-rank-1 heatmaps-rank-2
_turn = [0]


def rank_correlation(a, b):
    _turn[0] += 1
    return 1.0 if _turn[0] % 2 else -1.0
