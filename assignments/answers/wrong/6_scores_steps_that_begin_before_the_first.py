# steps that begin before the first
# loses: scores-forward-1 scores-forward-2
def forward(betas):
    kept = np.append(1, np.cumprod(1 - betas)[:-1])
    return np.sqrt(kept), np.sqrt(1 - kept)
