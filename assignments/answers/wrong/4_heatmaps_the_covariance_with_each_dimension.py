# the covariance with each dimension
# loses: heatmaps-direction-2
def direction(z, factor):
    w = (z - z.mean(0)).T @ (factor - factor.mean())
    return w / np.linalg.norm(w)
