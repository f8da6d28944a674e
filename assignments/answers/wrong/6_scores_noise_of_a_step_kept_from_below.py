# noise of a step kept from below
# loses: scores-forward-2
def forward(betas):
    kept = np.cumprod(1 - betas)
    return np.sqrt(kept), np.sqrt(np.maximum(1 - kept, 5e-4))
