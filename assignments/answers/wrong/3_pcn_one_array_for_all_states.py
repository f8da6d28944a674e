# one array for all states, changed in place
# loses: pcn-chain-1 pcn-chain-3
def pcn(log_likelihood, start, step, xi, u):
    z, states = start.copy(), []
    for noise, chance in zip(xi, u, strict=True):
        proposal = propose(z, noise, step)
        log_alpha = log_acceptance(log_likelihood(proposal), log_likelihood(z))
        accepted = np.log(chance) < log_alpha
        z[accepted] = proposal[accepted]
        states.append(z)
    return np.stack(states)
