# a divergence from one draw
# loses: elbo-kl-1 elbo-kl-2 elbo-kl-3
def kl_standard(mu, logvar):
    z = mu + np.exp(logvar / 2) * np.random.normal(size=mu.shape)
    log_q = -0.5 * ((z - mu) ** 2 / np.exp(logvar) + logvar)
    return (log_q + 0.5 * z**2).sum(1)
