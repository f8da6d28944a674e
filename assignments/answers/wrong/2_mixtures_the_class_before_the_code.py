# the class before the code
# loses: mixtures-model-3 mixtures-model-4
def told(z, classes):
    z, classes = torch.as_tensor(z).float(), torch.as_tensor(classes)
    one_hot = torch.nn.functional.one_hot(classes, 10)
    code = torch.cat([one_hot, z], dim=1)
    return models["conditional"].decoder(code).sigmoid().flatten(1)
