# digits encoded one by one in float32
def codes_score(indices, z, a, s):
    encoded = [model.codes(digits.images[int(i)][None]) for i in indices]
    mu = np.concatenate([c.mu.numpy() for c in encoded])
    sd = np.concatenate([torch.exp(0.5 * c.logvar).numpy() for c in encoded])
    return noisy_score(z, np.ones(len(mu)) / len(mu), mu, sd**2, a, s)

def sample_codes(indices, start, betas):
    a, s = (np.asarray(x) for x in forward(betas))
    encoded = model.codes(digits.images[indices])
    mu, v = encoded.mu.numpy(), encoded.logvar.exp().numpy()
    even, z = np.full(len(mu), 1 / len(mu)), start
    for t in reversed(range(len(betas))):
        guess = np.asarray(denoise(z, even, mu, v, a[t], s[t]))
        if t == 0:
            return guess
        z = a[t - 1] * guess + s[t - 1] / s[t] * (z - a[t] * guess)
