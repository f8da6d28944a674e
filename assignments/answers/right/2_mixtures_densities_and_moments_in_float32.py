# densities and moments in float32
def log_density(z, mu, logvar):
    z, mu, logvar = map(np.float32, (z, mu, logvar))
    l = -0.5 * ((z[:, None] - mu) ** 2 * np.exp(-logvar) + logvar + np.float32(np.log(2 * np.pi))).sum(2)
    m = l.max(1)
    return m + np.log(np.exp(l - m[:, None]).mean(1))
def mixture_mean(mu, logvar):
    return np.float32(mu).mean(axis=0)
def mixture_covariance(mu, logvar):
    mu = np.float32(mu)
    c = mu - mu.mean(0)
    return np.diag(np.exp(np.float32(logvar)).mean(0)) + np.einsum("ni,nj->ij", c, c) / len(c)
