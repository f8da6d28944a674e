# a symmetric divergence
# loses: elbo-gaussian-2
def kl_gaussians(mu_q, var_q, mu_p, var_p):
    d = (mu_q - mu_p) ** 2
    return 0.25 * (var_q / var_p + var_p / var_q + d / var_p + d / var_q - 2).sum(1)
