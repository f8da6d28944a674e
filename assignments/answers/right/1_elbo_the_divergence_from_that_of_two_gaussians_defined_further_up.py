# the divergence from that of two Gaussians, defined further up
def kl_gaussians(mu_q, var_q, mu_p, var_p):
    return np.sum(np.log(np.sqrt(var_p / var_q)) + (var_q + (mu_q - mu_p) ** 2) / (2 * var_p) - 0.5, axis=-1)


def kl_standard(mu, logvar):
    mu, logvar = np.asarray(mu), np.asarray(logvar)
    return kl_gaussians(mu, np.exp(logvar), np.zeros_like(mu), np.ones_like(mu))
