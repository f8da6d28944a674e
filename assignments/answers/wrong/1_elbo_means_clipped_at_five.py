# means clipped at five
# loses: elbo-kl-3
def kl_standard(mu, logvar):
    mu = np.clip(mu, -5, 5)
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1)
