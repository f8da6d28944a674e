# a chain by a generator with one chain at a time
def pcn(log_likelihood, start, step, xi, u):
    def walk(z, e, c):
        for a, b in zip(e, c):
            new = (1 - step**2) ** 0.5 * z + step * a
            d = float(log_likelihood(new[None])[0]) - float(log_likelihood(z[None])[0])
            if b < np.exp(min(0.0, d)):
                z = new
            yield z.copy()
    return np.stack([np.stack(list(walk(start[k].copy(), xi[:, k], u[:, k]))) for k in range(len(start))], 1)
