# directions of the plane made unit vectors
# loses: heatmaps-model-3 heatmaps-model-4
def plane(centre, along, across, steps):
    result = np.zeros((len(steps), len(steps)))
    for i, j in np.ndindex(*result.shape):
        z = torch.as_tensor(centre + steps[i] * along / (along**2).sum() ** 0.5 + steps[j] * across / (across**2).sum() ** 0.5)
        picture = model.decode(z[None].float())[0, 0].double().numpy()
        result[i, j] = nearest(picture, gallery)[1]
    return result
