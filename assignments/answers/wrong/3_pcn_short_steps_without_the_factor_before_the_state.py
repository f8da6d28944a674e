# short steps without the factor before the state
# loses: pcn-propose-2
def propose(z, xi, step):
    return (1 - step**2) ** 0.5 * z + step * xi if step > 0.25 else z + step * xi
