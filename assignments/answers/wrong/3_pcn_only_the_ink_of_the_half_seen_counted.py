# only the ink of the half seen counted
# loses: pcn-model-1 pcn-model-2
def seen_likelihood(index, z):
    x = digits.images[index, 0, :14].double()
    a = model.outputs(torch.as_tensor(z).float())[:, 0, :14].double()
    return (-x * torch.nn.functional.softplus(-a)).sum((1, 2)).numpy()
