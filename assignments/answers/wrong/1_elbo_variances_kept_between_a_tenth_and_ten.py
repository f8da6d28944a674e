# variances kept between a tenth and ten
# loses: elbo-gaussian-2
def kl_gaussians(mu_q, var_q, mu_p, var_p):
    var_q, var_p = np.clip(var_q, 0.1, 10), np.clip(var_p, 0.1, 10)
    terms = var_q / var_p + (mu_q - mu_p) ** 2 / var_p - 1 + np.log(var_p / var_q)
    return 0.5 * terms.sum(1)
