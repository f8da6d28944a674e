# the nearest in the spectral norm
# loses: heatmaps-nearest-1
def nearest(image, gallery):
    d = np.linalg.norm(gallery - image, 2, axis=(1, 2))
    best = d.argmin()
    return best, ((gallery[best] - image) ** 2).sum() ** 0.5 / (image**2).sum() ** 0.5
