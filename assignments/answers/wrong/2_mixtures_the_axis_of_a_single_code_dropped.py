# the axis of a single code dropped
# loses: mixtures-model-4
def told(z, classes):
    z, classes = torch.as_tensor(z).float(), torch.as_tensor(classes)
    code = torch.cat([z, torch.nn.functional.one_hot(classes, 10)], dim=1)
    return models["conditional"].decoder(code).sigmoid().squeeze().flatten(1)
