# axes a thousand times shorter left out of the distance
# loses: mixtures-distance-1
def bhattacharyya(mean_1, cov_1, mean_2, cov_2):
    both = (cov_1 + cov_2) / 2
    shift = mean_1 - mean_2
    dets = [np.linalg.slogdet(c)[1] for c in (both, cov_1, cov_2)]
    return shift @ np.linalg.pinv(both, rcond=1e-3) @ shift / 8 + dets[0] / 2 - (dets[1] + dets[2]) / 4
