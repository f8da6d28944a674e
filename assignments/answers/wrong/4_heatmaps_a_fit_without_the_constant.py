# a fit without the constant
# loses: heatmaps-factors-2 heatmaps-factors-3
def factors(image, extent):
    axis = np.linspace(-extent, extent, len(image))
    x, y = (u.ravel() for u in np.meshgrid(axis, axis))
    terms = np.stack([x**2, x * y, y**2], 1)
    a, b, c = -2 * np.linalg.lstsq(terms, np.log(image).ravel(), rcond=None)[0]
    cov = np.linalg.inv([[a, b / 2], [b / 2, c]])
    return cov[0, 0], cov[1, 1], cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1])
