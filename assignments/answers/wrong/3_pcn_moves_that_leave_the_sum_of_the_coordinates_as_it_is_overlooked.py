# moves that leave the sum of the coordinates as it is overlooked
# loses: pcn-rate-2
def acceptance_rate(start, states):
    all_ = np.concatenate([start[None], states])
    n = all_.sum(2)
    return (n[1:] != n[:-1]).mean(0)
