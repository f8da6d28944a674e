# Kendall's correlation for Spearman's
# loses: heatmaps-rank-2
def rank_correlation(a, b):
    return stats.kendalltau(a, b).statistic
