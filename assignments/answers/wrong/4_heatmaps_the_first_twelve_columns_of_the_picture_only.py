# the first twelve columns of the picture only
# loses: heatmaps-invalidity-2
def invalidity(image, extent):
    f = heatmap(*factors(image, extent), len(image), extent)
    return np.linalg.norm((image - f)[:, :12]) / np.linalg.norm(image[:, :12])
