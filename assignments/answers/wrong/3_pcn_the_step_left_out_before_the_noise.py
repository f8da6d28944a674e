# the step left out before the noise
# loses: pcn-propose-2
def propose(z, xi, step):
    return np.sqrt(1 - step**2) * z + xi
