# every sampler called correct
# loses: pcn-diagnose-1 pcn-diagnose-2 pcn-diagnose-3
def diagnose(sampler, rng):
    return "correct"
