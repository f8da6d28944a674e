# a small number added to the pixels before their logarithm
# loses: heatmaps-factors-3
def factors(image, extent):
    axis = np.linspace(-extent, extent, len(image))
    u1, u2 = (u.ravel() for u in np.meshgrid(axis, axis))
    terms = np.stack([u1**2, u1 * u2, u2**2, np.ones_like(u1)], 1)
    a, b, c, _ = -2 * np.linalg.lstsq(terms, np.log(image + 1e-8).ravel(), rcond=None)[0]
    (s1, off), (_, s2) = np.linalg.inv([[a, b / 2], [b / 2, c]])
    return s1, s2, off / np.sqrt(s1 * s2)
