# mixtures in float32
def noisy_log_density(z, weights, means, variances, a, s):
    z, means, variances = (np.asarray(x, dtype=np.float32) for x in (z, means, variances))
    spread = np.float32(a**2) * variances + np.float32(s**2)
    logs = -(z[:, None] - np.float32(a) * means) ** 2 / spread - np.log(spread)
    logs = logs.sum(2) / 2 - np.float32(np.log(2 * np.pi)) * z.shape[1] / 2
    return np.logaddexp.reduce(logs + np.log(weights).astype(np.float32), axis=1)

def denoise(z, weights, means, variances, a, s):
    score = np.float32(noisy_score(z, weights, means, variances, a, s))
    return np.float32(1 / a) * (np.float32(z) + np.float32(s) ** 2 * score)
