# the root of the mean square
# loses: heatmaps-invalidity-1 heatmaps-invalidity-2
def invalidity(image, extent):
    h = heatmap(*factors(image, extent), len(image), extent)
    return np.sqrt(((image - h) ** 2).mean())
