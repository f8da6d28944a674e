# draws as a list of lists
def reparameterise(mu, logvar, epsilon):
    return [(mu + np.exp(0.5 * logvar) * e).tolist() for e in epsilon]


def elbo(x, mu, logvar, epsilon, decode):
    kl = kl_standard(mu, logvar)
    each = [log_bernoulli(x, decode(np.array(z))) for z in reparameterise(mu, logvar, epsilon)]
    return np.mean(each, axis=0) - kl
