# a rate counted step by step
def acceptance_rate(start, states):
    path = [np.asarray(start), *map(np.asarray, states)]
    moved = [np.abs(after - before).max(axis=1) > 0 for before, after in zip(path, path[1:])]
    return sum(m.astype(int) for m in moved) / len(moved)
