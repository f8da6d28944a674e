# draws with log-variances clipped at four and at minus four
# loses: elbo-reparameterise-2
def reparameterise(mu, logvar, epsilon):
    return mu + np.exp(np.clip(logvar, -4, 4) / 2) * epsilon
