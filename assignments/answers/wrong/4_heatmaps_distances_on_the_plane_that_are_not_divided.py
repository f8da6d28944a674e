# distances on the plane that are not divided
# loses: heatmaps-model-3 heatmaps-model-4
def plane(centre, along, across, steps):
    result = np.zeros((len(steps), len(steps)))
    for i, j in np.ndindex(*result.shape):
        z = torch.as_tensor(centre + steps[i] * along + steps[j] * across)
        picture = model.decode(z[None].float())[0, 0].double().numpy()
        result[i, j] = np.linalg.norm(gallery - picture, axis=(1, 2)).min()
    return result
