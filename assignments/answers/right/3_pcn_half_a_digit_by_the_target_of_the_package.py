# half a digit by the target of the package
def seen_likelihood(index, z):
    seen = torch.arange(28)[:, None].expand(28, 28) < 14
    return model.target(digits.images[index], mask=seen)(torch.as_tensor(z).float()).double().numpy()


def sample_digit(index, start, step, xi, u):
    z, states = np.asarray(start), []
    level = seen_likelihood(index, z)
    for noise, chance in zip(np.asarray(xi), np.asarray(u)):
        new = np.sqrt(1 - step**2) * z + step * noise
        new_level = seen_likelihood(index, new)
        yes = np.log(chance) < new_level - level
        z, level = np.where(yes[:, None], new, z), np.where(yes, new_level, level)
        states.append(z)
    return states
