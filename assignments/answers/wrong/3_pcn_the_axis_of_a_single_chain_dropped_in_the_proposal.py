# the axis of a single chain dropped in the proposal
# loses: pcn-propose-2
def propose(z, xi, step):
    return (np.sqrt(1 - step**2) * z + step * xi).squeeze()
