# the conditional model by its own method
def trained_distance(kind, first, second):
    def gaussian(indices):
        codes = models[kind].codes(digits.images[torch.as_tensor(indices)])
        mu = codes.mu.double()
        spread = torch.cov(mu.T, correction=0) + torch.diag(codes.logvar.double().exp().mean(0))
        return mu.mean(0).numpy(), spread.numpy()

    return bhattacharyya(*gaussian(first), *gaussian(second))


def told(z, classes):
    classes = torch.as_tensor(classes, dtype=torch.int64)
    return models["conditional"].decode(torch.as_tensor(z, dtype=torch.float32), classes).reshape(-1, 784)
