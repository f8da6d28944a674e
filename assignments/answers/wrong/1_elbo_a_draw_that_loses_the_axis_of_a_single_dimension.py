# a draw that loses the axis of a single dimension
# loses: elbo-reparameterise-2
def reparameterise(mu, logvar, epsilon):
    z = mu + np.exp(logvar / 2) * epsilon
    return z.squeeze(-1) if z.shape[-1] == 1 else z
