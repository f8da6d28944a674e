# a draw that loses the axis of a single draw
# loses: elbo-reparameterise-2
def reparameterise(mu, logvar, epsilon):
    z = mu + np.exp(logvar / 2) * epsilon
    return z[0] if len(z) == 1 else z
