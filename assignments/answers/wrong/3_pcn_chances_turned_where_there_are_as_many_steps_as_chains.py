# chances turned where there are as many steps as chains
# loses: pcn-chain-3
def pcn(log_likelihood, start, step, xi, u):
    z, states = start, []
    for t in range(len(xi)):
        chance = u[:, t] if u.shape == (len(xi[0]), len(xi)) else u[t]
        proposal = propose(z, xi[t], step)
        log_alpha = log_acceptance(log_likelihood(proposal), log_likelihood(z))
        z = np.where((np.log(chance) < log_alpha)[:, None], proposal, z)
        states.append(z)
    return np.stack(states)
