# a picture from scipy's density
def heatmap(s1, s2, rho, size, extent):
    off = rho * (s1 * s2) ** 0.5
    axis = np.linspace(-extent, extent, size)
    points = np.stack(np.meshgrid(axis, axis), axis=-1)
    h = stats.multivariate_normal([0, 0], [[s1, off], [off, s2]]).pdf(points)
    return (h / h.max()).tolist()
