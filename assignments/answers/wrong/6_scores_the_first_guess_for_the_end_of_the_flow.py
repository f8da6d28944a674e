# the first guess for the end of the flow
# loses: scores-model-3 scores-model-4
def sample_codes(indices, start, betas):
    a, s = forward(betas)
    return (start + s[-1] ** 2 * codes_score(indices, start, a[-1], s[-1])) / a[-1]
