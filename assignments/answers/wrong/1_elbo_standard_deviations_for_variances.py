# standard deviations for variances
# loses: elbo-gaussian-1 elbo-gaussian-2
def kl_gaussians(mu_q, s, mu_p, t):
    return (np.log(t / s) + (s**2 + (mu_q - mu_p)**2) / (2 * t**2) - 0.5).sum(1)
