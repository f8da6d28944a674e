# a factor without its root
# loses: scores-forward-1 scores-forward-2
def forward(betas):
    kept = np.cumprod(1 - betas)
    return kept, np.sqrt(1 - kept)
