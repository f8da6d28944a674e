# the ranks of one list only
# loses: heatmaps-rank-1 heatmaps-rank-2
def rank_correlation(a, b):
    return np.corrcoef(np.argsort(np.argsort(a)), b)[0, 1]
