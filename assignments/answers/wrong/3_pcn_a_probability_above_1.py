# a probability above 1
# loses: pcn-accept-2
def log_acceptance(new, old):
    return new - old
