# the conditional model code by code with lists
def told(z, classes):
    pictures = []
    for code, c in zip(z, classes):
        row = [float(v) for v in code] + [1.0 if k == int(c) else 0.0 for k in range(10)]
        logits = models["conditional"].decoder(torch.tensor([row])).detach().numpy().ravel()
        pictures.append([1 / (1 + np.exp(-a)) for a in logits])
    return pictures
