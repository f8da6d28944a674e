# the variance of the noise for its standard deviation
# loses: scores-forward-1 scores-forward-2
def forward(betas):
    kept = np.cumprod(1 - betas)
    return np.sqrt(kept), 1 - kept
