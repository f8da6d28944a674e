# a direction whose first entry is made positive
# loses: heatmaps-direction-1 heatmaps-direction-2
def direction(z, factor):
    c = z - z.mean(0)
    w = np.linalg.lstsq(c, factor - factor.mean(), rcond=None)[0]
    return w / np.linalg.norm(w) * np.sign(w[0])
