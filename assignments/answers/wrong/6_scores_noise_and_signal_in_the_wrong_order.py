# noise and signal in the wrong order
# loses: scores-forward-1 scores-forward-2
def forward(betas):
    kept = np.cumprod(1 - betas)
    return np.sqrt(1 - kept), np.sqrt(kept)
