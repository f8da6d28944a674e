# determinants without the logarithm's ½
# loses: mixtures-distance-2 mixtures-distance-3
def bhattacharyya(m, a, n, b):
    s = (a + b) / 2
    d = [np.linalg.slogdet(c)[1] for c in (s, a, b)]
    return (m - n) @ np.linalg.inv(s) @ (m - n) / 8 + d[0] - (d[1] + d[2]) / 2
