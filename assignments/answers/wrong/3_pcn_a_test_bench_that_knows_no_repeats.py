# a test bench that knows no repeats
# loses: pcn-diagnose-3
def diagnose(sampler, rng):
    flat = sampler(lambda z: 0 * z[:, 0], rng.normal(size=(500, 1)), 0.5, 20, rng)[-1]
    if flat.var() < 0.7:
        return "proposal"
    s = sampler(lambda z: -8 * (z[:, 0] - 1) ** 2, 0.94 + rng.normal(size=(500, 1)) / 4, 0.5, 60, rng)
    return "correct" if abs(s.mean() - 16 / 17) < 0.3 else "ratio"
