# the axis of a single chain dropped
# loses: pcn-chain-3
def pcn(log_likelihood, start, step, xi, u):
    z, states = start, []
    for noise, chance in zip(xi, u):
        new = propose(z, noise, step)
        ok = np.log(chance) < log_acceptance(log_likelihood(new), log_likelihood(z))
        z = np.where(ok[:, None], new, z)
        states.append(np.squeeze(z))
    return np.stack(states)
