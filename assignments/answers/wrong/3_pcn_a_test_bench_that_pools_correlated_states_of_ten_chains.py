# a test bench that pools correlated states of ten chains
# loses: pcn-diagnose-1 pcn-diagnose-2 pcn-diagnose-3
def diagnose(sampler, rng):
    flat = sampler(lambda z: 0 * z[:, 0], rng.normal(size=(10, 1)), 0.5, 60, rng)[-30:]
    if flat.var() < 0.7:
        return "proposal"
    start = 16 / 17 + rng.normal(size=(500, 1)) / 17**0.5
    states = sampler(lambda z: -8 * (z[:, 0] - 1) ** 2, start, 0.5, 60, rng)
    if (states[1:] == states[:-1]).mean() < 0.01:
        return "repeats"
    return "correct" if abs(states.mean() - 16 / 17) < 0.3 else "ratio"
