# the axis of a single dimension of the codes dropped
# loses: scores-step-2
def step_kl(z_0, guess, betas, t):
    a, s = forward(betas)
    g = (a / s) ** 2
    return 0.5 * (g[t - 2] - g[t - 1]) * np.squeeze((z_0 - guess) ** 2).sum(-1)
