# codes that are told a class clipped at six
# loses: mixtures-model-3 mixtures-model-4
def told(z, classes):
    z, classes = torch.as_tensor(z).float().clamp(-6, 6), torch.as_tensor(classes)
    code = torch.cat([z, torch.nn.functional.one_hot(classes, 10)], dim=1)
    return models["conditional"].decoder(code).sigmoid().flatten(1)
