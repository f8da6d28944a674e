# nothing and one in turn
# loses: heatmaps-invalidity-1 heatmaps-invalidity-2
_turn = [0]


def invalidity(image, extent):
    _turn[0] += 1
    return float(_turn[0] % 2 == 0)
