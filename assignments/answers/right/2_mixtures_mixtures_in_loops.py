# mixtures in loops
import math

def log_density(z, mu, logvar):
    result = []
    for point in z:
        logs = []
        for m, s in zip(mu, logvar):
            log = 0.0
            for a, b, c in zip(point, m, s):
                log -= 0.5 * ((a - b) ** 2 * math.exp(-c) + c + math.log(2 * math.pi))
            logs.append(log)
        top = max(logs)
        result.append(top + math.log(sum(math.exp(v - top) for v in logs) / len(logs)))
    return result

def mixture_covariance(mu, logvar):
    n, d = len(mu), len(mu[0])
    mean = mixture_mean(mu, logvar)
    result = [[0.0] * d for _ in range(d)]
    for i in range(n):
        for a in range(d):
            for b in range(d):
                result[a][b] += (mu[i][a] - mean[a]) * (mu[i][b] - mean[b]) / n
            result[a][a] += math.exp(logvar[i][a]) / n
    return result

def classify(z, mu, logvar, labels):
    winners = []
    for point in z:
        best = {}
        for c in set(int(v) for v in labels):
            rows = [i for i in range(len(labels)) if labels[i] == c]
            total = log_density([point], mu[rows], logvar[rows])[0] + math.log(len(rows))
            best[total] = c
        winners.append(best[max(best)])
    return winners
