# the score of codes and not of noisy ones
# loses: scores-model-1 scores-model-2
def codes_score(indices, z, a, s):
    codes = model.codes(digits.images[indices])
    mu, variances = codes.mu.double().numpy(), codes.logvar.double().exp().numpy()
    return noisy_score(z, np.full(len(mu), 1 / len(mu)), mu, variances, a, 1e-6)
