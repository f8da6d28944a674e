# the nearest by the angle
# loses: heatmaps-nearest-1
def nearest(image, gallery):
    best = ((gallery * image).sum((1, 2)) / np.linalg.norm(gallery, axis=(1, 2))).argmax()
    return best, np.linalg.norm(gallery[best] - image) / np.linalg.norm(image)
