# a millionth added to the variances
# loses: elbo-gaussian-2
def kl_gaussians(mu_q, var_q, mu_p, var_p):
    var_q, var_p = var_q + 1e-6, var_p + 1e-6
    return 0.5 * (var_q / var_p + (mu_q - mu_p) ** 2 / var_p - 1 + np.log(var_p / var_q)).sum(1)
