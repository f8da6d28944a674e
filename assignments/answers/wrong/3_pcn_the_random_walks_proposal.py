# the random walk's proposal
# loses: pcn-propose-1 pcn-propose-2
def propose(z, xi, step):
    return z + step * xi
