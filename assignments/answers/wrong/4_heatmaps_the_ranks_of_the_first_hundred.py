# the ranks of the first hundred
# loses: heatmaps-rank-2
def rank_correlation(a, b):
    return stats.spearmanr(a[:100], b[:100]).statistic
