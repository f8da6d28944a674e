# a small number added to the length of the direction
# loses: heatmaps-direction-1
def direction(z, factor):
    c = z - z.mean(0)
    w = np.linalg.lstsq(c, factor - factor.mean(), rcond=None)[0]
    return w / (np.linalg.norm(w) + 1e-4)
