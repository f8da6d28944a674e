# codes turned where they are fewer than dimensions
# loses: scores-step-2
def step_kl(z_0, guess, betas, t):
    a, s = forward(betas)
    g = (a / s) ** 2
    return 0.5 * (g[t - 2] - g[t - 1]) * ((z_0 - guess) ** 2).sum(int(np.argmin(z_0.shape)))
