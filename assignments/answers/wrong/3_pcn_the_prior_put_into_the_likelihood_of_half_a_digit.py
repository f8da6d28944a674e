# the prior put into the likelihood of half a digit
# loses: pcn-model-3 pcn-model-4
def sample_digit(index, start, step, xi, u):
    return pcn(lambda z: seen_likelihood(index, z) - 0.5 * (z**2).sum(1), start, step, xi, u)
