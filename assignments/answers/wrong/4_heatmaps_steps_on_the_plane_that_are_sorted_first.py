# steps on the plane that are sorted first
# loses: heatmaps-model-4
def plane(centre, along, across, steps):
    steps = np.sort(steps)
    r = np.zeros((len(steps), len(steps)))
    for i, j in np.ndindex(*r.shape):
        z = torch.as_tensor(centre + steps[i] * along + steps[j] * across)
        r[i, j] = nearest(model.decode(z[None].float())[0, 0].double().numpy(), gallery)[1]
    return r
