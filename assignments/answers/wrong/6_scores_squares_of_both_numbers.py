# squares of both numbers
# loses: scores-forward-1 scores-forward-2
def forward(betas):
    kept = np.cumprod(1 - betas)
    return kept, 1 - kept
