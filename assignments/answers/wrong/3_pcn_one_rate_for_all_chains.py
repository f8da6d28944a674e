# one rate for all chains
# loses: pcn-rate-2
def acceptance_rate(start, states):
    path = np.concatenate([start[None], states])
    return np.full(len(start), (path[1:] != path[:-1]).any(2).mean())
