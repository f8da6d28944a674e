# the inverse of the first covariance for that of the mean
# loses: mixtures-distance-3
def bhattacharyya(mean_1, cov_1, mean_2, cov_2):
    both = (cov_1 + cov_2) / 2
    shift = mean_1 - mean_2
    dets = [np.linalg.slogdet(c)[1] for c in (both, cov_1, cov_2)]
    return shift @ np.linalg.solve(cov_1, shift) / 8 + dets[0] / 2 - (dets[1] + dets[2]) / 4
