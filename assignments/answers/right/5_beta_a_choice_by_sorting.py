# a choice by sorting
def choose_beta(betas, rates, distortions, pixels):
    def elbo(i):
        return -(pixels / 2 * math.log(2 * math.pi * distortions[i] / pixels) + pixels / 2 + rates[i])

    return sorted(range(len(betas)), key=elbo)[-1] * 0 + betas[max(range(len(betas)), key=elbo)]


import math
