# the estimate by one call of the decoder
def elbo(x, mu, logvar, epsilon, decode):
    z = reparameterise(mu, logvar, epsilon)
    s, n, d = z.shape
    logits = decode(z.reshape(s * n, d))
    each = log_bernoulli(np.tile(x, (s, 1)), logits)
    return np.asarray(each).reshape(s, n).mean(0) - kl_standard(mu, logvar)
