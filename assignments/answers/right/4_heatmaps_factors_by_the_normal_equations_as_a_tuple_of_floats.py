# factors by the normal equations, as a tuple of floats
def factors(image, extent):
    image = np.asarray(image)
    u = np.linspace(-extent, extent, image.shape[0])
    x, y = np.tile(u, len(u)), np.repeat(u, len(u))
    a = np.column_stack([np.ones(x.size), x * x, x * y, y * y])
    _, xx, xy, yy = np.linalg.solve(a.T @ a, a.T @ np.log(image.reshape(-1)))
    p11, p22, p12 = -2 * xx, -2 * yy, -xy
    det = p11 * p22 - p12**2
    return float(p22 / det), float(p11 / det), float(-p12 / np.sqrt(p11 * p22))
