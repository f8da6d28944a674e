# only the diagonals of the covariances
# loses: mixtures-distance-1 mixtures-distance-2 mixtures-distance-3
def bhattacharyya(mean_1, cov_1, mean_2, cov_2):
    a, b, s = np.diag(cov_1), np.diag(cov_2), mean_1 - mean_2
    both = (a + b) / 2
    return (s**2 / both).sum() / 8 + 0.5 * np.log(both / np.sqrt(a * b)).sum()
