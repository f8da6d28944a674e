# the first step not counted
# loses: pcn-rate-1 pcn-rate-2
def acceptance_rate(start, states):
    return (np.diff(states, axis=0) != 0).any(2).mean(0)
