# the one dimension that follows best
# loses: heatmaps-direction-1 heatmaps-direction-2
def direction(z, factor):
    r = np.array([np.corrcoef(column, factor)[0, 1] for column in z.T])
    w = np.zeros(z.shape[1])
    w[np.abs(r).argmax()] = np.sign(r[np.abs(r).argmax()])
    return w
