# the distance by determinants and an inverse
def bhattacharyya(mean_1, cov_1, mean_2, cov_2):
    s, d = (cov_1 + cov_2) / 2, (mean_1 - mean_2)[:, None]
    det = np.linalg.det
    return (d.T @ np.linalg.inv(s) @ d) / 8 + np.log(det(s) / np.sqrt(det(cov_1) * det(cov_2))) / 2
