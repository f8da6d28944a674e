# the variances exchanged
# loses: heatmaps-factors-1 heatmaps-factors-2 heatmaps-factors-3
def factors(image, extent):
    axis = np.linspace(-extent, extent, len(image))
    y, x = (u.ravel() for u in np.meshgrid(axis, axis))
    terms = np.stack([x**2, x * y, y**2, np.ones_like(x)], 1)
    a, b, c, _ = -2 * np.linalg.lstsq(terms, np.log(image).ravel(), rcond=None)[0]
    s = np.linalg.inv([[a, b / 2], [b / 2, c]])
    return s[0, 0], s[1, 1], s[0, 1] / np.sqrt(s[0, 0] * s[1, 1])
