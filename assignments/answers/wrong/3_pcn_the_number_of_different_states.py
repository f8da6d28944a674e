# the number of different states
# loses: pcn-rate-2
def acceptance_rate(start, states):
    path = np.concatenate([start[None], states])
    return np.array([(len(np.unique(p, axis=0)) - 1) / len(states) for p in path.transpose(1, 0, 2)])
