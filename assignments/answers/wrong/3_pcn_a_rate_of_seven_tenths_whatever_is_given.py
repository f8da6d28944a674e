# a rate of seven tenths whatever is given
# loses: pcn-rate-1 pcn-rate-2
def acceptance_rate(start, states):
    return [0.7]
