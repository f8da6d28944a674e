# beta in loops
def distortion(x, recon):
    total = 0.0
    for row, other in zip(x, recon):
        for a, b in zip(row, other):
            total += (a - b) ** 2
    return total / len(x)

import math

def gaussian_nll(x, recon, variance):
    return [sum((a - b) ** 2 for a, b in zip(r, s)) / (2 * variance)
            + len(r) / 2 * math.log(2 * math.pi * variance) for r, s in zip(x, recon)]

def active_units(mu, threshold):
    result = []
    for column in mu.T:
        mean = sum(column) / len(column)
        result.append(sum((m - mean) ** 2 for m in column) / (len(column) - 1) > threshold)
    return result

def choose_beta(betas, rates, distortions, pixels):
    best, winner = -math.inf, None
    for b, r, d in zip(betas, rates, distortions):
        bound = -pixels / 2 * math.log(d / pixels) - r
        if bound > best:
            best, winner = bound, b
    return winner
