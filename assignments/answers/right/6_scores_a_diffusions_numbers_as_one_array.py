# a diffusion's numbers as one array
def forward(betas):
    kept = np.exp(np.cumsum(np.log(1 - np.asarray(betas))))
    return np.sqrt(np.stack([kept, 1 - kept]))
