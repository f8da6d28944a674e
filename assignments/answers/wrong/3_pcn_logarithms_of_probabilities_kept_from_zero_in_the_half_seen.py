# logarithms of probabilities kept from zero in the half seen
# loses: pcn-model-2
def seen_likelihood(index, z):
    x = digits.images[index, 0, :14].double()
    a = model.outputs(torch.as_tensor(z).float())[:, 0, :14].double()
    return (x * torch.log(a.sigmoid() + 1e-9) + (1 - x) * torch.log(1 - a.sigmoid() + 1e-9)).sum((1, 2)).numpy()
