# the proposal without its square root
# loses: pcn-propose-2
def propose(z, xi, step):
    return (1 - step) * z + step * xi
