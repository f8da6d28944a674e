# steps on the plane that are all equal
# loses: heatmaps-model-4
def plane(centre, along, across, steps):
    steps = np.linspace(steps[0], steps[-1], len(steps))
    result = np.zeros((len(steps), len(steps)))
    for i, j in np.ndindex(*result.shape):
        z = torch.as_tensor(centre + steps[i] * along + steps[j] * across)
        picture = model.decode(z[None].float())[0, 0].double().numpy()
        result[i, j] = nearest(picture, gallery)[1]
    return result
