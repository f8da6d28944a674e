# one decision for all chains
# loses: pcn-chain-3
def pcn(log_likelihood, start, step, xi, u):
    z, states = start, []
    for noise, chance in zip(xi, u):
        new = propose(z, noise, step)
        log_alpha = log_acceptance(log_likelihood(new), log_likelihood(z))
        yes = (np.log(chance) < log_alpha)[:, None]
        z = new if yes[0, 0] else z
        states.append(z)
    return np.stack(states)
