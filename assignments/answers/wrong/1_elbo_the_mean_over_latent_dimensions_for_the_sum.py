# the mean over latent dimensions for the sum
# loses: elbo-kl-3
def kl_standard(mu, logvar):
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).mean(1)
