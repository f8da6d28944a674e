# a distance of ten at most
# loses: mixtures-distance-1
def bhattacharyya(mean_1, cov_1, mean_2, cov_2):
    S = (cov_1 + cov_2) / 2
    d = mean_1 - mean_2
    return min(d @ np.linalg.solve(S, d) / 8 + 0.5 * np.log(np.linalg.det(S) / np.sqrt(np.linalg.det(cov_1) * np.linalg.det(cov_2))), 10)
