# pCN in loops
import math

def log_acceptance(log_l_new, log_l_old):
    return np.array([math.log(min(1, math.exp(min(a - b, 0)))) if a - b > -700 else a - b
                     for a, b in zip(log_l_new, log_l_old)])

def pcn(log_likelihood, start, step, xi, u):
    chains = []
    for k in range(len(start)):
        z, chain = start[k], []
        for t in range(len(xi)):
            new = math.sqrt(1 - step * step) * z + step * xi[t][k]
            ratio = float(log_likelihood(new[None])[0] - log_likelihood(z[None])[0])
            if math.log(u[t][k]) < ratio:
                z = new
            chain.append(z)
        chains.append(chain)
    return [[chains[k][t] for k in range(len(start))] for t in range(len(xi))]

def acceptance_rate(start, states):
    moved = np.zeros(len(start))
    previous = start
    for state in states:
        for k in range(len(start)):
            moved[k] += float((state[k] != previous[k]).any())
        previous = state
    return moved / len(states)

def diagnose(sampler, rng):
    one = sampler(lambda z: 0 * z[:, 0], np.zeros((1000, 1)), 0.5, 40, rng)[-1]
    if np.mean(one**2) < 0.6:
        return "proposal"
    states = sampler(lambda z: -3 * np.abs(z[:, 0] - 2), np.full((50, 1), 1.5), 0.9, 200, rng)
    if not any((a == b).any() for a, b in zip(states, states[1:])):
        return "repeats"
    return "ratio" if np.median(states) < 0.3 else "correct"
