# the covariance by the law of total covariance, class by class
def mixture_covariance(mu, logvar):
    mean = sum(mu) / len(mu)
    within = sum(np.diag(np.exp(row)) for row in logvar)
    between = sum(np.outer(row - mean, row - mean) for row in mu)
    return (within + between) / len(mu)
