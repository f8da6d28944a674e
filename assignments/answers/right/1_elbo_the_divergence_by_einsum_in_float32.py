# the divergence by einsum in float32
def kl_standard(mu, logvar):
    mu, logvar = np.asarray(mu, np.float32), np.asarray(logvar, np.float32)
    return 0.5 * (np.einsum("nd,nd->n", mu, mu) + (np.exp(logvar) - 1 - logvar).sum(-1))
