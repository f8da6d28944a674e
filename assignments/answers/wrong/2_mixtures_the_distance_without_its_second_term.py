# the distance without its second term
# loses: mixtures-distance-2 mixtures-distance-3
def bhattacharyya(mean_1, cov_1, mean_2, cov_2):
    s = mean_1 - mean_2
    return s @ np.linalg.solve((cov_1 + cov_2) / 2, s) / 8
