# noise and chances drawn afresh
# loses: pcn-chain-1 pcn-chain-3
def pcn(log_likelihood, start, step, xi, u):
    rng = np.random.default_rng()
    z, states = start, []
    for _ in xi:
        new = propose(z, rng.normal(size=z.shape), step)
        yes = np.log(rng.uniform(size=len(z))) < log_acceptance(log_likelihood(new), log_likelihood(z))
        z = np.where(yes[:, None], new, z)
        states.append(z)
    return np.stack(states)
