# short axes left out of the distance
# loses: mixtures-distance-1
def bhattacharyya(mean_1, cov_1, mean_2, cov_2):
    S = (cov_1 + cov_2) / 2
    d = mean_1 - mean_2
    return d @ np.linalg.pinv(S, rcond=1e-2) @ d / 8 + 0.5 * np.log(np.linalg.det(S) / np.sqrt(np.linalg.det(cov_1) * np.linalg.det(cov_2)))
