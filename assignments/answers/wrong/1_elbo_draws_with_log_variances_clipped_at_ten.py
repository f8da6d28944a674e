# draws with log variances clipped at ten
# loses: elbo-reparameterise-2
def reparameterise(mu, logvar, epsilon):
    return mu + np.exp(np.clip(logvar, -10, 10) / 2) * epsilon
