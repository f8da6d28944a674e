# a test bench in two dimensions
def diagnose(sampler, rng):
    flat = sampler(lambda z: np.zeros(len(z)), rng.normal(size=(400, 2)), 0.6, 15, rng)
    if np.var(flat[-1]) < 0.75:
        return "proposal"
    s = sampler(lambda z: -6 * np.sum((z - 1) ** 2, axis=1), np.ones((300, 2)), 0.5, 50, rng)
    if np.mean(np.all(s[1:] == s[:-1], axis=2)) < 0.02:
        return "repeats"
    return "ratio" if abs(np.mean(s[10:]) - 12 / 13) > 0.3 else "correct"
