# the direction of the first hundred codes
# loses: heatmaps-direction-2
def direction(z, factor):
    z, factor = z[:100], factor[:100]
    centred = z - z.mean(0)
    w = np.linalg.lstsq(centred, factor - factor.mean(), rcond=None)[0]
    return w / np.linalg.norm(w)
