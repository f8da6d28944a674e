# the picture scaled to a maximum of one first
# loses: heatmaps-invalidity-2
def invalidity(image, extent):
    image = image / image.max()
    h = heatmap(*factors(image, extent), len(image), extent)
    return np.linalg.norm(image - h) / np.linalg.norm(image)
