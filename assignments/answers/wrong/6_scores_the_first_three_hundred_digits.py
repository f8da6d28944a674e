# the first three hundred digits
# loses: scores-model-2
def codes_score(indices, z, a, s):
    codes = model.codes(digits.images[indices[:300]])
    mu, variances = codes.mu.double().numpy(), codes.logvar.double().exp().numpy()
    return noisy_score(z, np.full(len(mu), 1 / len(mu)), mu, variances, a, s)
