# the start as the first state of half a digit
# loses: pcn-model-3 pcn-model-4
def sample_digit(index, start, step, xi, u):
    return np.concatenate([start[None], pcn(lambda z: seen_likelihood(index, z), start, step, xi, u)[:-1]])
