# the axis of a single step dropped
# loses: scores-forward-2
def forward(betas):
    kept = np.array([np.prod(1 - betas[:t]) for t in range(1, len(betas) + 1)])
    return np.squeeze(np.sqrt(kept)), np.squeeze(np.sqrt(1 - kept))
