# correlations clipped at eight tenths
# loses: heatmaps-heatmap-2
def heatmap(s1, s2, rho, size, extent):
    rho = np.clip(rho, -0.8, 0.8)
    axis = np.linspace(-extent, extent, size)
    u1, u2 = np.meshgrid(axis, axis)
    cross = 2 * rho * u1 * u2 / np.sqrt(s1 * s2)
    log = -0.5 * (u1**2 / s1 - cross + u2**2 / s2) / (1 - rho**2)
    return np.exp(log - log.max())
