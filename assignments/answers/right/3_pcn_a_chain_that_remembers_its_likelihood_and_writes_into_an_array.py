# a chain that remembers its likelihood and writes into an array
def pcn(log_likelihood, start, step, xi, u):
    states = np.empty(xi.shape)
    z, now = np.array(start), np.asarray(log_likelihood(start))
    for t in range(len(xi)):
        new = np.sqrt(1 - step**2) * z + step * xi[t]
        after = np.asarray(log_likelihood(new))
        yes = np.log(u[t]) < np.minimum(after - now, 0)
        z[yes], now[yes] = new[yes], after[yes]
        states[t] = z
    return states
