# the decoder told one code at a time without its axis
# loses: elbo-estimator-1 elbo-estimator-2
def elbo(x, mu, logvar, epsilon, decode):
    out = []
    for n in range(len(x)):
        total = 0
        for s in range(len(epsilon)):
            a = decode(mu[n] + np.exp(logvar[n] / 2) * epsilon[s, n])
            total += (x[n] * a - np.logaddexp(0, a)).sum()
        out.append(total / len(epsilon) - 0.5 * (mu[n]**2 + np.exp(logvar[n]) - 1 - logvar[n]).sum())
    return out
