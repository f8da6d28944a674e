# a divergence on a grid around zero
# loses: scores-step-2
def step_kl(z_0, guess, betas, t):
    a, s = forward(betas[: t - 1])
    before = np.linspace(-12, 12, 3001)
    step = stats.norm(np.sqrt(1 - betas[t - 1]) * before, np.sqrt(betas[t - 1]))
    logs = []
    for start in (z_0, guess):
        log_q = step.logpdf(0.0) + stats.norm(a[-1] * start[:, :, None], s[-1]).logpdf(before)
        logs.append(log_q - np.log(np.trapezoid(np.exp(log_q), before))[:, :, None])
    return np.trapezoid(np.exp(logs[0]) * (logs[0] - logs[1]), before).sum(1)
