# the two factors exchanged
# loses: pcn-propose-1 pcn-propose-2
def propose(z, xi, step):
    return step * z + np.sqrt(1 - step**2) * xi
