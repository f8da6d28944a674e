# a proposal with hypot and in float32
def propose(z, xi, step):
    keep = np.sqrt((1 - step) * (1 + step))
    return (keep * np.asarray(z, np.float32) + step * np.asarray(xi, np.float32)).astype(np.float32)
