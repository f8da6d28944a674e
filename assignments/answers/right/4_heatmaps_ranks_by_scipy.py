# ranks by scipy
def rank_correlation(a, b):
    return stats.spearmanr(np.asarray(a), np.asarray(b))[0]
