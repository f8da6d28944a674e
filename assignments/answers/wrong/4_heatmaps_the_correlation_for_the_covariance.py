# the correlation for the covariance
# loses: heatmaps-heatmap-2 heatmaps-heatmap-3
def heatmap(s1, s2, rho, size, extent):
    x, y = np.meshgrid(*[np.linspace(-extent, extent, size)] * 2)
    p = np.linalg.inv([[s1, rho], [rho, s2]])
    q = p[0, 0] * x**2 + 2 * p[0, 1] * x * y + p[1, 1] * y**2
    h = np.exp(-(q - q.min()) / 2)
    return h
