# coordinates averaged
# loses: pcn-rate-2
def acceptance_rate(start, states):
    path = np.concatenate([start[None], states])
    return (path[1:] != path[:-1]).mean((0, 2))
