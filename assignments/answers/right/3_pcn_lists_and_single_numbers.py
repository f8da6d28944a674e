# lists and single numbers
import math
def propose(z, xi, step):
    c = math.sqrt(1 - step * step)
    return [[c * a + step * b for a, b in zip(r, q)] for r, q in zip(z, xi)]
def log_acceptance(log_l_new, log_l_old):
    return [min(0.0, float(a) - float(b)) for a, b in zip(log_l_new, log_l_old)]
def acceptance_rate(start, states):
    n = np.zeros(len(start))
    prev = start
    for s in states:
        n += np.abs(s - prev).max(1) > 0
        prev = s
    return (n / len(states)).tolist()
def pcn(log_likelihood, start, step, xi, u):
    states = np.empty_like(xi)
    now, ll = start.copy(), log_likelihood(start)
    for t in range(len(xi)):
        new = np.array(propose(now, xi[t], step))
        lnew = log_likelihood(new)
        for k in range(len(start)):
            if u[t, k] < math.exp(min(0, lnew[k] - ll[k])):
                now[k], ll[k] = new[k], lnew[k]
        states[t] = now
    return states
