# the nearest by the largest difference
# loses: heatmaps-nearest-1
def nearest(image, gallery):
    best = np.abs(gallery - image).max((1, 2)).argmin()
    return best, np.linalg.norm(gallery[best] - image) / np.linalg.norm(image)
