# points paired with digits where there are equally many
# loses: scores-model-2
def codes_score(indices, z, a, s):
    c = model.codes(digits.images[indices])
    mu, v = c.mu.double().numpy(), c.logvar.double().exp().numpy()
    if len(z) == len(mu):
        return (a * mu - z) / (a**2 * v + s**2)
    return noisy_score(z, np.full(len(mu), 1 / len(mu)), mu, v, a, s)
