# the squared distance to the fitted picture
# loses: heatmaps-invalidity-1 heatmaps-invalidity-2
def invalidity(image, extent):
    h = heatmap(*factors(image, extent), len(image), extent)
    return ((image - h) ** 2).sum() / (image**2).sum()
