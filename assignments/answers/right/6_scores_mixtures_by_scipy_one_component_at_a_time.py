# mixtures by scipy one component at a time
from scipy.stats import multivariate_normal

def noisy_log_density(z, weights, means, variances, a, s):
    logs = [np.log(w) + multivariate_normal(a * m, a**2 * v + s**2).logpdf(z).reshape(len(z))
            for w, m, v in zip(weights, means, variances)]
    return special.logsumexp(logs, axis=0)

def noisy_score(z, weights, means, variances, a, s):
    logs = [np.log(w) + multivariate_normal(a * m, a**2 * v + s**2).logpdf(z).reshape(len(z))
            for w, m, v in zip(weights, means, variances)]
    shares = np.exp(logs - special.logsumexp(logs, axis=0))
    return sum(share[:, None] * (a * m - z) / (a**2 * v + s**2)
               for share, m, v in zip(shares, means, variances))
