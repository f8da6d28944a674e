# a test bench of ten long chains
# loses: pcn-diagnose-1 pcn-diagnose-2 pcn-diagnose-3
def diagnose(sampler, rng):
    if np.mean(sampler(lambda z: np.zeros(10), np.zeros((10, 2)), 0.8, 500, rng)[-1] ** 2) < 0.8:
        return "proposal"
    s = sampler(lambda z: -8 * (z[:, 0] - 1) ** 2, np.ones((10, 1)), 0.5, 500, rng)
    if (s[1:] == s[:-1]).mean() < 0.01:
        return "repeats"
    return "correct" if abs(s.mean() - 16 / 17) < 0.3 else "ratio"
