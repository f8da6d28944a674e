# the order taken for the ranks
# loses: heatmaps-rank-1 heatmaps-rank-2
def rank_correlation(a, b):
    return np.corrcoef(np.argsort(a), np.argsort(b))[0, 1]
