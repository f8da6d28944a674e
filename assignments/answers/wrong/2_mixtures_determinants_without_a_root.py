# determinants without a root
# loses: mixtures-distance-1 mixtures-distance-2 mixtures-distance-3
def bhattacharyya(mean_1, cov_1, mean_2, cov_2):
    both, s = (cov_1 + cov_2) / 2, mean_1 - mean_2
    det = np.linalg.det
    return s @ np.linalg.solve(both, s) / 8 + 0.5 * np.log(det(both) / (det(cov_1) * det(cov_2)))
