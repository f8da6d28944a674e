# the distance by Cholesky factors
def bhattacharyya(mean_1, cov_1, mean_2, cov_2):
    both = np.linalg.cholesky((np.asarray(cov_1) + np.asarray(cov_2)) / 2)
    white = np.linalg.solve(both, np.asarray(mean_1) - np.asarray(mean_2))
    half = [np.log(np.diag(np.linalg.cholesky(np.asarray(c)))).sum() for c in (cov_1, cov_2)]
    return (white**2).sum() / 8 + np.log(np.diag(both)).sum() - sum(half) / 2
