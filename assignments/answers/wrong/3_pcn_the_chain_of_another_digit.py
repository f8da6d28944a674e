# the chain of another digit
# loses: pcn-model-3 pcn-model-4
def sample_digit(index, start, step, xi, u):
    return pcn(lambda z: seen_likelihood(index - 1, z), start, step, xi, u)
