# Pearson's correlation for Spearman's
# loses: heatmaps-rank-1 heatmaps-rank-2
def rank_correlation(a, b):
    return np.corrcoef(a, np.asarray(b))[0, 1]
