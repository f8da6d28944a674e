# a fitted picture whose maximum lies between its pixels
# loses: heatmaps-invalidity-2
def invalidity(image, extent):
    axis = np.linspace(-extent, extent, len(image))
    u1, u2 = (u.ravel() for u in np.meshgrid(axis, axis))
    terms = np.stack([u1**2, u1 * u2, u2**2, np.ones_like(u1)], 1)
    k = np.linalg.lstsq(terms, np.log(image).ravel(), rcond=None)[0]
    fitted = np.exp(terms[:, :3] @ k[:3]).reshape(image.shape)
    return np.linalg.norm(image - fitted) / np.linalg.norm(image)
