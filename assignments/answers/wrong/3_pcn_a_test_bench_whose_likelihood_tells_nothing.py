# a test bench whose likelihood tells nothing
# loses: pcn-diagnose-1 pcn-diagnose-2 pcn-diagnose-3
def diagnose(sampler, rng):
    s = sampler(lambda z: -1e-3 * z[:, 0] ** 2, rng.normal(size=(500, 1)), 0.5, 40, rng)
    if s[-1].var() < 0.7:
        return "proposal"
    if (s[1:] == s[:-1]).mean() < 0.01:
        return "repeats"
    return "correct" if s[-1].var() < 1.0 else "ratio"
