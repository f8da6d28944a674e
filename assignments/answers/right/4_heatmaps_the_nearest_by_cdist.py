# the nearest by cdist
from scipy.spatial.distance import cdist


def nearest(image, gallery):
    d = cdist(np.reshape(image, (1, -1)), np.reshape(gallery, (len(gallery), -1)))[0]
    return np.array([d.argmin(), d.min() / np.sqrt(np.sum(np.square(np.asarray(image))))])
