# the sum of the covariances for their mean
# loses: mixtures-distance-1 mixtures-distance-2 mixtures-distance-3
def bhattacharyya(mean_1, cov_1, mean_2, cov_2):
    both, s = cov_1 + cov_2, mean_1 - mean_2
    d = [np.linalg.slogdet(c)[1] for c in (both, cov_1, cov_2)]
    return s @ np.linalg.solve(both, s) / 8 + d[0] / 2 - (d[1] + d[2]) / 4
