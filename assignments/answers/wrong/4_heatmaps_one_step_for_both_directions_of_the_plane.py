# one step for both directions of the plane
# loses: heatmaps-model-3 heatmaps-model-4
def plane(centre, along, across, steps):
    result = np.zeros((len(steps), len(steps)))
    for i, j in np.ndindex(*result.shape):
        z = torch.as_tensor(centre + steps[i] * (along + across))
        picture = model.decode(z[None].float())[0, 0].double().numpy()
        result[i, j] = nearest(picture, gallery)[1]
    return result
