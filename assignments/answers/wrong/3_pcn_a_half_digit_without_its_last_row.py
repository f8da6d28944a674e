# a half digit without its last row
# loses: pcn-model-1 pcn-model-2
def seen_likelihood(index, z):
    x = digits.images[index, 0, :13].double()
    a = model.outputs(torch.as_tensor(z).float())[:, 0, :13].double()
    return (x * a - torch.nn.functional.softplus(a)).sum((1, 2)).numpy()
