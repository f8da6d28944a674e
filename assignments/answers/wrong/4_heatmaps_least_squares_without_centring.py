# least squares without centring
# loses: heatmaps-direction-2
def direction(z, f):
    w = np.linalg.lstsq(z, f, rcond=None)[0]
    return w / np.linalg.norm(w)
