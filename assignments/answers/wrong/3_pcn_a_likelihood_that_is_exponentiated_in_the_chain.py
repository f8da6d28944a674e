# a likelihood that is exponentiated in the chain
# loses: pcn-chain-3
def pcn(log_likelihood, start, step, xi, u):
    z, states = start, []
    for noise, chance in zip(xi, u):
        new = propose(z, noise, step)
        yes = chance * np.exp(log_likelihood(z)) < np.exp(log_likelihood(new))
        z = np.where(yes[:, None], new, z)
        states.append(z)
    return np.stack(states)
