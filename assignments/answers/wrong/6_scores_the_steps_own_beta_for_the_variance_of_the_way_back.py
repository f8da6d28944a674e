# the step's own beta for the variance of the way back
# loses: scores-step-1 scores-step-2
def step_kl(z_0, guess, betas, t):
    a, s = forward(betas)
    beta, kept = betas[t - 1], a[t - 2] ** 2
    factor = np.sqrt(kept) * beta / s[t - 1] ** 2
    return factor**2 / (2 * beta) * ((z_0 - guess) ** 2).sum(1)
