# a move from the start in place of the step before
# loses: pcn-rate-1 pcn-rate-2
def acceptance_rate(start, states):
    return (states != start).any(2).mean(0)
