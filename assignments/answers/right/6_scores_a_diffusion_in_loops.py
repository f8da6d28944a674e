# a diffusion in loops
from math import log, pi, sqrt

def forward(betas):
    a, s, kept = [], [], 1.0
    for beta in betas:
        kept *= 1 - float(beta)
        a.append(sqrt(kept))
        s.append(sqrt(1 - kept))
    return [a, s]

def step_kl(z_0, guess, betas, t):
    before = 1.0
    for beta in betas[:t - 1]:
        before *= 1 - float(beta)
    beta = float(betas[t - 1])
    after = before * (1 - beta)
    # Ho et al.: the mean's factor before z_0, and the variance of the way back.
    factor = sqrt(before) * beta / (1 - after)
    variance = (1 - before) / (1 - after) * beta
    return [factor**2 * sum((p - q) ** 2 for p, q in zip(one, other)) / (2 * variance)
            for one, other in zip(z_0, guess)]

def negative_bound(betas, mean, variance, last):
    kept = [1.0]
    for beta in betas:
        kept.append(kept[-1] * (1 - float(beta)))
    total = 0.0
    for m, v in zip(mean, variance):
        for t in range(1, len(kept)):
            missed = 1 / (1 / v + kept[t] / (1 - kept[t]))  # precisions add up
            if t == 1:
                total += log(2 * pi * last) / 2 + missed / last / 2
            else:
                gap = kept[t - 1] / (1 - kept[t - 1]) - kept[t] / (1 - kept[t])
                total += gap * missed / 2
        s2 = 1 - kept[-1]
        total += (kept[-1] * (m * m + v) + s2 - 1 - log(s2)) / 2
    return total
