# each step by itself
# loses: scores-forward-1 scores-forward-2
def forward(betas):
    kept = 1 - betas
    return np.sqrt(kept), np.sqrt(1 - kept)
