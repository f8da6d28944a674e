# the picture itself left out of the gallery
# loses: heatmaps-nearest-1
def nearest(image, gallery):
    d = ((gallery - image) ** 2).sum((1, 2)) ** 0.5
    d = np.where(d == 0, np.inf, d)
    best = d.argmin()
    return best, d[best] / (image**2).sum() ** 0.5
