# a hundredth of the code that always stays
# loses: scores-forward-2
def forward(betas):
    kept = np.clip(np.cumprod(1 - betas), 1e-2, 1)
    return np.sqrt(kept), np.sqrt(1 - kept)
