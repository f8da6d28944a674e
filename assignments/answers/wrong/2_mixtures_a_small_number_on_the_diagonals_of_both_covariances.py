# a small number on the diagonals of both covariances
# loses: mixtures-distance-1
def bhattacharyya(mean_1, cov_1, mean_2, cov_2):
    I = 1e-4 * np.eye(len(cov_1))
    cov_1, cov_2 = cov_1 + I, cov_2 + I
    S = (cov_1 + cov_2) / 2
    d = mean_1 - mean_2
    return d @ np.linalg.solve(S, d) / 8 + 0.5 * np.log(np.linalg.det(S) / np.sqrt(np.linalg.det(cov_1) * np.linalg.det(cov_2)))
