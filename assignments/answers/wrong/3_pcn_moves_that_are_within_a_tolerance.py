# moves that are within a tolerance
# loses: pcn-rate-2
def acceptance_rate(start, states):
    before = np.concatenate([start[None], states[:-1]])
    return (~np.isclose(states, before)).any(2).mean(0)
