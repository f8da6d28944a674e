# columns seen of a single code
# loses: pcn-model-2
def seen_likelihood(index, z):
    x = digits.images[index].squeeze()[:14].double()
    a = model.outputs(torch.as_tensor(z).float()).squeeze()
    a = a.double() if a.ndim == 3 else a.double().T[None]
    return (x * a[:, :14] - torch.nn.functional.softplus(a[:, :14])).sum((1, 2)).numpy()
