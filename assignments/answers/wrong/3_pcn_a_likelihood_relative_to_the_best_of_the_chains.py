# a likelihood relative to the best of the chains
# loses: pcn-model-3 pcn-model-4
def sample_digit(index, start, step, xi, u):
    def ll(z):
        v = np.asarray(seen_likelihood(index, z))
        return v - v.max()
    return pcn(ll, start, step, xi, u)
