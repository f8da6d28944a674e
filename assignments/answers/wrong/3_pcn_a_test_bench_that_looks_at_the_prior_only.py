# a test bench that looks at the prior only
# loses: pcn-diagnose-1 pcn-diagnose-3
def diagnose(sampler, rng):
    z = sampler(lambda z: 0 * z[:, 0], rng.normal(size=(900, 1)), 0.5, 20, rng)[-1]
    return "correct" if z.var() > 0.7 else "proposal"
