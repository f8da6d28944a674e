# everything accepted
# loses: pcn-chain-2 pcn-chain-3
def pcn(log_likelihood, start, step, xi, u):
    z, states = start, []
    for noise in xi:
        z = propose(z, noise, step)
        states.append(z)
    return np.stack(states)
