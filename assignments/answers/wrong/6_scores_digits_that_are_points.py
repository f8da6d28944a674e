# digits that are points
# loses: scores-model-1 scores-model-2
def codes_score(indices, z, a, s):
    codes = model.codes(digits.images[indices])
    mu, variances = codes.mu.double().numpy(), 0 * codes.logvar.double().numpy()
    return noisy_score(z, np.full(len(mu), 1 / len(mu)), mu, variances, a, s)
