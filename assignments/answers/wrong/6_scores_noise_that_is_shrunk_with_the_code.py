# noise that is shrunk with the code
# loses: scores-density-1 scores-density-2
def noisy_log_density(z, weights, means, variances, a, s):
    spread = a**2 * (variances + s**2)
    terms = np.log(weights) + stats.norm(a * means, np.sqrt(spread)).logpdf(z[:, None]).sum(2)
    return special.logsumexp(terms, axis=1)
