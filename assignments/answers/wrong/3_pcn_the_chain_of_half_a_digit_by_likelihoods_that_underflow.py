# the chain of half a digit by likelihoods that underflow
# loses: pcn-model-4
def sample_digit(index, start, step, xi, u):
    z, out = torch.as_tensor(start).float(), []
    for noise, uniform in zip(torch.as_tensor(xi).float(), u):
        new = (1 - step**2) ** 0.5 * z + step * noise
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.exp(seen_likelihood(index, new)) / np.exp(seen_likelihood(index, z))
        moved = torch.as_tensor(np.asarray(uniform) < np.asarray(ratio))
        z = torch.where(moved[:, None], new, z)
        out.append(z)
    return torch.stack(out)
