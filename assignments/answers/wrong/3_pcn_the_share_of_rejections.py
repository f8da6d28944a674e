# the share of rejections
# loses: pcn-rate-1 pcn-rate-2
def acceptance_rate(start, states):
    path = np.concatenate([start[None], states])
    return (path[1:] == path[:-1]).all(2).mean(0)
