# the size of the rank correlation
# loses: heatmaps-rank-1 heatmaps-rank-2
def rank_correlation(a, b):
    return abs(stats.spearmanr(a, b).statistic)
