# the uniform number for its logarithm
# loses: pcn-chain-1 pcn-chain-3
def pcn(log_likelihood, start, step, xi, u):
    z, states = start, []
    for noise, chance in zip(xi, u):
        new = propose(z, noise, step)
        yes = chance < log_acceptance(log_likelihood(new), log_likelihood(z))
        z = np.where(yes[:, None], new, z)
        states.append(z)
    return np.stack(states)
