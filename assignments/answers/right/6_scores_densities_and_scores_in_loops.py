# densities and scores in loops
import math

def _log(z, w, m, v, a, s):
    total = math.log(w)
    for d in range(len(z)):
        c = a * a * v[d] + s * s
        total -= (z[d] - a * m[d]) ** 2 / c / 2 + math.log(2 * math.pi * c) / 2
    return float(total)

def noisy_log_density(z, weights, means, variances, a, s):
    out = []
    for row in z:
        terms = [_log(row, *part, a, s) for part in zip(weights, means, variances)]
        top = max(terms)
        out.append(top + math.log(math.fsum(math.exp(t - top) for t in terms)))
    return out

def noisy_score(z, weights, means, variances, a, s):
    rows = []
    for row in z:
        terms = [_log(row, *part, a, s) for part in zip(weights, means, variances)]
        top = max(terms)
        shares = [math.exp(t - top) for t in terms]
        rows.append([
            sum(r * (a * m[d] - row[d]) / (a**2 * v[d] + s**2)
                for r, m, v in zip(shares, means, variances)) / sum(shares)
            for d in range(len(row))])
    return np.array(rows)

def denoise(z, weights, means, variances, a, s):
    scores = noisy_score(z, weights, means, variances, a, s)
    return [[(x + s * s * g) / a for x, g in zip(row, score)] for row, score in zip(z, scores)]
