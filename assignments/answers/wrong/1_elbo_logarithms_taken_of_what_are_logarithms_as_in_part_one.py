# logarithms taken of what are logarithms, as in part one
# loses: elbo-gaussian-1 elbo-gaussian-2
def kl_gaussians(mu_q, var_q, mu_p, var_p):
    ratio = np.exp(var_q - var_p)
    return 0.5 * (ratio + (mu_q - mu_p) ** 2 / np.exp(var_p) - 1 + var_p - var_q).sum(1)
