# variances kept from below at a thousandth
# loses: elbo-gaussian-2
def kl_gaussians(mu_q, var_q, mu_p, var_p):
    var_q, var_p = np.maximum(var_q, 1e-3), np.maximum(var_p, 1e-3)
    return 0.5 * (var_q / var_p + (mu_q - mu_p) ** 2 / var_p - 1 + np.log(var_p / var_q)).sum(1)
