# a flow to the first digit
# loses: scores-model-4
def sample_codes(indices, start, betas):
    codes = model.codes(digits.images[indices[:1]])
    mu, variance = codes.mu.double().numpy(), codes.logvar.double().exp().numpy()
    kept = np.append(1, np.cumprod(1 - np.asarray(betas)))
    a, s = np.sqrt(kept)[:, None], np.sqrt(1 - kept)[:, None]
    scaled = (a[:-1] * a[1:] * variance + s[:-1] * s[1:]) / (a[1:] ** 2 * variance + s[1:] ** 2)
    return mu + scaled.prod(0) * (np.asarray(start) - a[-1] * mu)
