# the divergence of the second step back to the code itself
# loses: scores-step-2
def step_kl(z_0, guess, betas, t):
    a, s = forward(betas)
    signal = (a / s) ** 2
    return 0.5 * ((signal[t - 2] if t > 2 else 1 / betas[0]) - signal[t - 1]) * ((z_0 - guess) ** 2).sum(1)
