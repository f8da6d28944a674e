# noise on codes kept from below at a twentieth
# loses: scores-model-1
def codes_score(indices, z, a, s):
    codes = model.codes(digits.images[indices])
    mu, variances = codes.mu.double().numpy(), codes.logvar.double().exp().numpy()
    return noisy_score(z, np.full(len(mu), 1 / len(mu)), mu, variances, a, max(s, 0.05))
