# the logarithm of a product of ratios that overflows
# loses: elbo-gaussian-2
def kl_gaussians(mu_q, var_q, mu_p, var_p):
    terms = var_q / var_p + (mu_q - mu_p) ** 2 / var_p - 1
    return 0.5 * (terms.sum(1) + np.log((var_p / var_q).prod(1)))
