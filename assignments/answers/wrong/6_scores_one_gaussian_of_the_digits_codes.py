# one Gaussian of the digits' codes
# loses: scores-model-1 scores-model-2
def codes_score(indices, z, a, s):
    codes = model.codes(digits.images[indices])
    mu, variances = codes.mu.double().numpy(), codes.logvar.double().exp().numpy()
    return noisy_score(z, np.ones(1), mu.mean(0)[None], (variances + mu**2).mean(0)[None] - mu.mean(0) ** 2, a, s)
