# the size of the rank correlation
# loses: heatmaps-rank-1
def rank_correlation(a, b):
    return abs(stats.spearmanr(a, b).statistic)
