# an acceptance by a list
def log_acceptance(log_l_new, log_l_old):
    return [min(0.0, float(a) - float(b)) for a, b in zip(log_l_new, log_l_old)]


def pcn(log_likelihood, start, step, xi, u):
    z, states = start, []
    for noise, chance in zip(xi, u):
        new = propose(z, noise, step)
        alpha = np.array(log_acceptance(log_likelihood(new), log_likelihood(z)))
        z = np.where((np.log(chance) < alpha)[:, None], new, z)
        states.append(z)
    return states
