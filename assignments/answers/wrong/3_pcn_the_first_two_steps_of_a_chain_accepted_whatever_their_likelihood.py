# the first two steps of a chain accepted whatever their likelihood
# loses: pcn-chain-3
def pcn(log_likelihood, start, step, xi, u):
    z, out = start, []
    for t in range(len(xi)):
        new = np.sqrt(1 - step**2) * z + step * xi[t]
        yes = np.log(u[t]) < log_likelihood(new) - log_likelihood(z)
        z = np.where(yes[:, None] | (t < 2 and len(xi) > 5), new, z)
        out.append(z)
    return np.stack(out)
