# the number of moves for their share
# loses: pcn-rate-1 pcn-rate-2
def acceptance_rate(start, states):
    path = np.concatenate([start[None], states])
    return (path[1:] != path[:-1]).any(2).sum(0)
