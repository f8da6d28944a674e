# pixels kept from below at ten to the minus twelve
# loses: heatmaps-factors-3
def factors(image, extent):
    axis = np.linspace(-extent, extent, len(image))
    a, b = (u.ravel() for u in np.meshgrid(axis, axis))
    A = np.stack([a * a, a * b, b * b, np.ones_like(a)], 1)
    p, q, r, _ = -2 * np.linalg.lstsq(A, np.log(np.maximum(image, 1e-12)).ravel(), rcond=None)[0]
    (s1, o), (_, s2) = np.linalg.inv([[p, q / 2], [q / 2, r]])
    return s1, s2, o / np.sqrt(s1 * s2)
