# a chain of one dimension that loses its axis
# loses: pcn-rate-2
def acceptance_rate(start, states):
    both = np.concatenate([start[None], states])
    if both.shape[2] == 1:
        both = both[:, :, 0]
    return (both[1:] != both[:-1]).any(-1).mean(0)
