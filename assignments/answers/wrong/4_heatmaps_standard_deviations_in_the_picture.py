# standard deviations in the picture
# loses: heatmaps-heatmap-1 heatmaps-heatmap-2 heatmaps-heatmap-3
def heatmap(s1, s2, rho, size, extent):
    x, y = np.meshgrid(*[np.linspace(-extent, extent, size)] * 2)
    q = x**2 / s1**2 - 2 * rho * x * y / (s1 * s2) + y**2 / s2**2
    h = np.exp(-q / 2 / (1 - rho**2))
    return h / h.max()
