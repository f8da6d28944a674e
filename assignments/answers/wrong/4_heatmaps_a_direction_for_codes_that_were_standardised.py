# a direction for codes that were standardised
# loses: heatmaps-direction-2
def direction(z, factor):
    c = (z - z.mean(0)) / z.std(0)
    w = np.linalg.lstsq(c, factor - factor.mean(), rcond=None)[0]
    return w / np.linalg.norm(w)
