# log variances clipped at forty
# loses: elbo-kl-3
def kl_standard(mu, logvar):
    l = np.clip(logvar, -40, 40)
    return 0.5 * (mu**2 + np.exp(l) - 1 - l).sum(1)
