# the direction turned over
# loses: heatmaps-direction-1 heatmaps-direction-2
def direction(z, factor):
    w = np.linalg.lstsq(z - z.mean(0), factor - factor.mean(), rcond=None)[0]
    return -w / np.linalg.norm(w)
