# the logarithm of the determinants upside down
# loses: elbo-gaussian-2
def kl_gaussians(mu_q, var_q, mu_p, var_p):
    return 0.5 * (var_q / var_p + (mu_q - mu_p)**2 / var_p - 1 + np.log(var_q / var_p)).sum(1)
