# a direction that is not of unit length
# loses: heatmaps-direction-1 heatmaps-direction-2
def direction(z, f):
    return np.linalg.lstsq(z - z.mean(0), f - f.mean(), rcond=None)[0]
