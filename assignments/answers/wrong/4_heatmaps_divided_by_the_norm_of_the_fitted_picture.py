# divided by the norm of the fitted picture
# loses: heatmaps-invalidity-2
def invalidity(image, extent):
    h = heatmap(*factors(image, extent), len(image), extent)
    return np.linalg.norm(image - h) / np.linalg.norm(h)
