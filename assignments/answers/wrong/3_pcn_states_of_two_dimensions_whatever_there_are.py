# states of two dimensions whatever there are
# loses: pcn-chain-3
def pcn(log_likelihood, start, step, xi, u):
    out = np.zeros((len(xi), len(start), 2))
    z = start
    for t in range(len(xi)):
        new = np.sqrt(1 - step**2) * z + step * xi[t]
        yes = np.log(u[t]) < log_likelihood(new) - log_likelihood(z)
        z = np.where(yes[:, None], new, z)
        out[t, :, 0], out[t, :, 1] = z[:, 0], z[:, 1]
    return out
