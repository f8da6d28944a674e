# standard deviations that are added
# loses: scores-density-1 scores-density-2
def noisy_log_density(z, weights, means, variances, a, s):
    spread = (a * np.sqrt(variances) + s) ** 2
    terms = np.log(weights) + stats.norm(a * means, np.sqrt(spread)).logpdf(z[:, None]).sum(2)
    return special.logsumexp(terms, axis=1)
