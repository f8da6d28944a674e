# the chain of half a digit from the mean of the encoder
# loses: pcn-model-3 pcn-model-4
def sample_digit(index, start, step, xi, u):
    return pcn(lambda z: seen_likelihood(index, z), model.encode(digits.images[index][None])[0].numpy() + 0 * start, step, xi, u)
