# only moves of more than a twentieth counted
# loses: pcn-rate-1 pcn-rate-2
def acceptance_rate(start, states):
    path = np.concatenate([start[None], states])
    return (np.abs(np.diff(path, axis=0)) > 0.05).any(2).mean(0)
