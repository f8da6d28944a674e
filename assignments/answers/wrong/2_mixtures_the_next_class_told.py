# the next class told
# loses: mixtures-model-3 mixtures-model-4
def told(z, classes):
    z, classes = torch.as_tensor(z).float(), torch.as_tensor(classes)
    one_hot = torch.nn.functional.one_hot((classes + 1) % 10, 10)
    code = torch.cat([z, one_hot], dim=1)
    return models["conditional"].decoder(code).sigmoid().flatten(1)
