# the rate of the first hundred steps
# loses: pcn-rate-2
def acceptance_rate(start, states):
    all_ = np.concatenate([start[None], states])[:101]
    return (np.diff(all_, axis=0) != 0).any(2).mean(0)
