# a distance by eigenvalues of a pencil
from scipy import linalg
def bhattacharyya(mean_1, cov_1, mean_2, cov_2):
    lam, W = linalg.eigh(np.asarray(cov_1), np.asarray(cov_2))
    d = W.T @ (np.asarray(mean_1) - np.asarray(mean_2))
    s = (lam + 1) / 2
    return float((d**2 / s).sum() / 8 + 0.5 * np.log(s).sum() - 0.25 * np.log(lam).sum())
