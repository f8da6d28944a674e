# the first minimum on the way down from the largest beta
# loses: beta-choose-2
def choose_beta(betas, rates, distortions, pixels):
    o = np.argsort(betas)[::-1]
    loss = (pixels / 2 * np.log(distortions / pixels) + rates)[o]
    i = 0
    while i + 1 < len(o) and loss[i + 1] < loss[i]:
        i += 1
    return betas[o[i]]
