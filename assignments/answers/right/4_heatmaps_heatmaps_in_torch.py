# heatmaps in torch
import torch

def heatmap(s1, s2, rho, size, extent):
    axis = torch.linspace(-extent, extent, size, dtype=torch.float64)
    off = rho * (s1 * s2) ** 0.5
    precision = torch.linalg.inv(torch.tensor([[s1, off], [off, s2]], dtype=torch.float64))
    v, u = torch.meshgrid(axis, axis, indexing="ij")
    points = torch.stack([u, v], dim=-1)
    image = torch.exp(-0.5 * ((points @ precision) * points).sum(-1))
    return image / image.max()

def factors(image, extent):
    image = torch.as_tensor(image)
    axis = torch.linspace(-extent, extent, image.shape[0], dtype=image.dtype)
    v, u = torch.meshgrid(axis, axis, indexing="ij")
    terms = torch.stack([u**2, u * v, v**2, torch.ones_like(u)], dim=-1).reshape(-1, 4)
    a, b, c, _ = torch.linalg.lstsq(terms, image.log().reshape(-1, 1)).solution[:, 0].unbind()
    precision = torch.stack([torch.stack([-2 * a, -b]), torch.stack([-b, -2 * c])])
    cov = torch.linalg.inv(precision)
    return cov[0, 0], cov[1, 1], cov[0, 1] / torch.sqrt(cov[0, 0] * cov[1, 1])

def nearest(image, gallery):
    distances = (gallery - image).flatten(1).norm(dim=1)
    return torch.stack([distances.argmin().double(), distances.min() / image.norm()])

def invalidity(image, extent):
    image = torch.as_tensor(image)
    fitted = heatmap(*[float(f) for f in factors(image, extent)], image.shape[0], extent)
    return torch.dist(image, fitted) / image.norm()

def rank_correlation(a, b):
    ranks = torch.stack([x.argsort().argsort().double() for x in (a, b)])
    return torch.corrcoef(ranks)[0, 1]

def direction(z, factor):
    z, factor = z - z.mean(dim=0), factor - factor.mean()
    w = torch.linalg.solve(z.T.cov(), (z * factor[:, None]).mean(dim=0))
    return torch.nn.functional.normalize(w, dim=0)

def summary(errors):
    c = errors - torch.mean(errors)
    return torch.stack([errors.mean(), errors.median(), c.pow(4).mean() / c.pow(2).mean()**2 - 3])
