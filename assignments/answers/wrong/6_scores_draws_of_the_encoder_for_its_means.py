# draws of the encoder for its means
# loses: scores-model-1 scores-model-2
def codes_score(indices, z, a, s):
    codes = model.codes(digits.images[indices])
    mu, variances = (codes.mu + torch.exp(codes.logvar / 2) * torch.randn(codes.mu.shape)).double().numpy(), codes.logvar.double().exp().numpy()
    return noisy_score(z, np.full(len(mu), 1 / len(mu)), mu, variances, a, s)
