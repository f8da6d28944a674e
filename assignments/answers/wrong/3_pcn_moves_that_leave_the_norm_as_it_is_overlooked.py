# moves that leave the norm as it is overlooked
# loses: pcn-rate-2
def acceptance_rate(start, states):
    all_ = np.concatenate([start[None], states])
    n = (all_**2).sum(2)
    return (n[1:] != n[:-1]).mean(0)
