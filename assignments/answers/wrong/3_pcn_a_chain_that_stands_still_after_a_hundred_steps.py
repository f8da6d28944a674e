# a chain that stands still after a hundred steps
# loses: pcn-chain-3
def pcn(log_likelihood, start, step, xi, u):
    z, states = start, []
    for t in range(len(xi)):
        new = propose(z, xi[t], step)
        ok = np.log(u[t]) < log_acceptance(log_likelihood(new), log_likelihood(z))
        z = np.where(ok[:, None], new, z) if t < 100 else z
        states.append(z)
    return np.stack(states)
