# half of the distance of the means
# loses: mixtures-distance-1 mixtures-distance-3
def bhattacharyya(m, a, n, b):
    s = (a + b) / 2
    d = [np.linalg.slogdet(c)[1] for c in (s, a, b)]
    return (m - n) @ np.linalg.inv(s) @ (m - n) / 4 + d[0] / 2 - (d[1] + d[2]) / 4
