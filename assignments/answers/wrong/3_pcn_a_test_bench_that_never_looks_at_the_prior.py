# a test bench that never looks at the prior
# loses: pcn-diagnose-2
def diagnose(sampler, rng):
    z = sampler(lambda z: -8 * (z[:, 0] - 1)**2, rng.normal(size=(500, 1)), 0.5, 60, rng)[20:]
    if (z[1:] == z[:-1]).mean() < 0.01:
        return "repeats"
    return "correct" if abs(z.mean() - 16 / 17) < 0.3 else "ratio"
