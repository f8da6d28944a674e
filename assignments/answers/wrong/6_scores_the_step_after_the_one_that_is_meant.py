# the step after the one that is meant
# loses: scores-step-1 scores-step-2
def step_kl(z_0, guess, betas, t):
    a, s = forward(betas)
    signal = (a / s) ** 2
    return 0.5 * (np.append(signal, 0)[t - 1] - np.append(signal, 0)[t]) * ((z_0 - guess) ** 2).sum(1)
