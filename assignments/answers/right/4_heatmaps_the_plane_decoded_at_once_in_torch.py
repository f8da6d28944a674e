# the plane decoded at once in torch
def factor_direction(indices, factor):
    mu = model.codes(maps.images[torch.as_tensor(indices)]).mu.double()
    values = maps.factors[factor][torch.as_tensor(indices)].double()
    w = torch.linalg.lstsq(mu - mu.mean(0), (values - values.mean())[:, None]).solution[:, 0]
    return w / w.norm()


def plane(centre, along, across, steps):
    centre, along, across, steps = (torch.as_tensor(x) for x in (centre, along, across, steps))
    codes = centre + steps[:, None, None] * along + steps[None, :, None] * across
    pictures = model.decode(codes.reshape(-1, 3).float()).flatten(1).double()
    far = torch.cdist(pictures, torch.from_numpy(gallery).flatten(1)).min(dim=1).values
    return (far / pictures.norm(dim=1)).reshape(len(steps), len(steps))
