# the direction by the inverse covariance
def direction(z, factor):
    z, factor = np.asarray(z), np.asarray(factor)
    joint = np.cov(np.column_stack([z, factor]).T)
    w = np.linalg.inv(joint[:-1, :-1]) @ joint[:-1, -1]
    return list(w / np.sqrt(np.sum(w**2)))
