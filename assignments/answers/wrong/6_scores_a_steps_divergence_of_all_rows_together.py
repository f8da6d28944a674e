# a step's divergence of all rows together
# loses: scores-step-1 scores-step-2
def step_kl(z_0, guess, betas, t):
    a, s = forward(betas)
    signal = (a / s) ** 2
    return 0.5 * (signal[t - 2] - signal[t - 1]) * ((z_0 - guess) ** 2).sum()
