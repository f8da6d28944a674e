# heatmaps in loops
import math

def heatmap(s1, s2, rho, size, extent):
    at = [-extent + 2 * extent * k / (size - 1) for k in range(size)]
    image = np.zeros((size, size), dtype=np.float32)
    for i, y in enumerate(at):
        for j, x in enumerate(at):
            a, b = x / math.sqrt(s1), y / math.sqrt(s2)
            image[i, j] = math.exp(-(a * a - 2 * rho * a * b + b * b) / 2 / (1 - rho**2))
    return image / image.max()

def nearest(image, gallery):
    best = (math.inf, -1)
    for k, other in enumerate(gallery):
        best = min(best, (math.sqrt(sum((p - q) ** 2 for p, q in zip(image.ravel(),
                                                                 other.ravel()))), k))
    return [best[1], best[0] / math.sqrt(sum(p * p for p in image.ravel()))]

def rank_correlation(a, b):
    n = len(a)
    rank = lambda x: [sum(y < v for y in x) for v in x]
    d = sum((i - j) ** 2 for i, j in zip(rank(a), rank(b)))
    return 1 - 6 * d / (n * (n * n - 1))

def summary(errors):
    n = len(errors)
    mean = sum(errors) / n
    m2, m4 = (sum((e - mean) ** k for e in errors) / n for k in (2, 4))
    return mean, sorted(errors)[n // 2], m4 / m2**2 - 3
