# six d squared over n cubed
# loses: heatmaps-rank-1 heatmaps-rank-2
def rank_correlation(a, b):
    d = np.argsort(np.argsort(a)) - np.argsort(np.argsort(b))
    return 1 - 6 * (d**2).sum() / len(a) ** 3
