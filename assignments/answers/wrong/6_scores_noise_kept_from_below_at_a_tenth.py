# noise kept from below at a tenth
# loses: scores-forward-2
def forward(betas):
    kept = np.cumprod(1 - betas)
    return np.sqrt(kept), np.maximum(np.sqrt(1 - kept), 0.1)
