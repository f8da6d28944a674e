# the root of one minus the step
# loses: pcn-propose-2
def propose(z, xi, step):
    return np.sqrt(1 - step) * z + step * xi
