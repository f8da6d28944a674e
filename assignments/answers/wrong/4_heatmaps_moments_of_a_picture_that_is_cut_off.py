# moments of a picture that is cut off
# loses: heatmaps-factors-1 heatmaps-factors-2 heatmaps-factors-3
def factors(image, extent):
    axis = np.linspace(-extent, extent, len(image))
    x, y = np.meshgrid(axis, axis)
    p = image / image.sum()
    a, b, c = (p * x * x).sum(), (p * y * y).sum(), (p * x * y).sum()
    return a, b, c / np.sqrt(a * b)
