# a fitted picture as bright as the given one
# loses: heatmaps-invalidity-2
def invalidity(image, extent):
    h = image.max() * heatmap(*factors(image, extent), len(image), extent)
    return np.linalg.norm(image - h) / np.linalg.norm(image)
