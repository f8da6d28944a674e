# a hundredth of a nat at least for each dimension
# loses: elbo-kl-3
def kl_standard(mu, logvar):
    return np.maximum(0.5 * (mu**2 + np.exp(logvar) - 1 - logvar), 0.01).sum(1)
