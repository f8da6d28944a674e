# the absolute difference of the means
# loses: mixtures-distance-1 mixtures-distance-3
def bhattacharyya(mean_1, cov_1, mean_2, cov_2):
    both, shift = (cov_1 + cov_2) / 2, np.abs(mean_1 - mean_2)
    dets = [np.linalg.slogdet(c)[1] for c in (both, cov_1, cov_2)]
    return shift @ np.linalg.solve(both, shift) / 8 + dets[0] / 2 - (dets[1] + dets[2]) / 4
