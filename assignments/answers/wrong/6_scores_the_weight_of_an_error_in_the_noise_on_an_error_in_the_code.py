# the weight of an error in the noise on an error in the code
# loses: scores-step-1 scores-step-2
def step_kl(z_0, guess, betas, t):
    a, s = forward(betas)
    beta, narrow = betas[t - 1], betas[t - 1] * (s[t - 2] / s[t - 1]) ** 2
    factor = beta**2 / ((1 - beta) * s[t - 1] ** 2)
    return factor / (2 * narrow) * ((z_0 - guess) ** 2).sum(1)
