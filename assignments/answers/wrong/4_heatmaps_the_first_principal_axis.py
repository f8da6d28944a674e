# the first principal axis
# loses: heatmaps-direction-1 heatmaps-direction-2
def direction(z, factor):
    return np.linalg.svd(z - z.mean(0))[2][0]
