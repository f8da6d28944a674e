# the likelihood of the start for ever
# loses: pcn-chain-3
def pcn(log_likelihood, start, step, xi, u):
    z, states, old = start, [], log_likelihood(start)
    for noise, chance in zip(xi, u):
        new = propose(z, noise, step)
        yes = np.log(chance) < log_acceptance(log_likelihood(new), old)
        z = np.where(yes[:, None], new, z)
        states.append(z)
    return np.stack(states)
