# a test bench that guesses
# loses: pcn-diagnose-1 pcn-diagnose-2 pcn-diagnose-3
def diagnose(sampler, rng):
    return ["correct", "proposal", "ratio", "repeats"][rng.integers(4)]
