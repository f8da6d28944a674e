# the difference of two divergences from the standard normal
# loses: elbo-gaussian-1 elbo-gaussian-2
def kl_gaussians(mu_q, var_q, mu_p, var_p):
    return kl_standard(mu_q, np.log(var_q)) - kl_standard(mu_p, np.log(var_p))
