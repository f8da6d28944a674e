# the exponential of small steps for their product
# loses: scores-forward-1 scores-forward-2
def forward(betas):
    kept = np.exp(-np.cumsum(betas))
    return np.sqrt(kept), np.sqrt(1 - kept)
