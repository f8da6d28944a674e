# the first minimum on the way of the betas
# loses: beta-choose-2
def choose_beta(betas, rates, distortions, pixels):
    order = np.argsort(betas)
    loss = (pixels / 2 * np.log(distortions / pixels) + rates)[order]
    i = 0
    while i + 1 < len(order) and loss[i + 1] < loss[i]:
        i += 1
    return betas[order[i]]
