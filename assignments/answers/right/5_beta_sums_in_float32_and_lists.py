# sums in float32 and lists
def rate(mu, logvar):
    mu, logvar = np.float32(mu), np.float32(logvar)
    return np.mean(np.sum(0.5 * (mu * mu + np.exp(logvar) - 1 - logvar), -1))
def distortion(x, recon):
    return np.linalg.norm(np.float32(x) - np.float32(recon)) ** 2 / len(x)
def gaussian_nll(x, recon, variance):
    return [sum(-stats.norm.logpdf(a, b, variance**0.5)) for a, b in zip(x, recon)]
def optimal_variance(x, recon):
    return np.float32(np.mean(np.float32(x - recon) ** 2))
def active_units(mu, threshold):
    return [bool(np.var(c, ddof=1) > threshold) for c in mu.T]
def choose_beta(betas, rates, distortions, pixels):
    return max(zip(betas, rates, distortions), key=lambda t: -(pixels / 2 * np.log(2 * np.pi * t[2] / pixels) + pixels / 2 + t[1]))[0]
