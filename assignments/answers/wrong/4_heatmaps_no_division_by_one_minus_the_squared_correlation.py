# no division by one minus the squared correlation
# loses: heatmaps-heatmap-2 heatmaps-heatmap-3
def heatmap(s1, s2, rho, size, extent):
    x, y = np.meshgrid(*[np.linspace(-extent, extent, size)] * 2)
    q = x**2 / s1 - 2 * rho * x * y / (s1 * s2) ** 0.5 + y**2 / s2
    h = np.exp(-q / 2)
    return h / h.max()
