# a plane through zero and not through its centre
# loses: heatmaps-model-3 heatmaps-model-4
def plane(centre, along, across, steps):
    result = np.zeros((len(steps), len(steps)))
    for i, j in np.ndindex(*result.shape):
        z = torch.as_tensor(steps[i] * along + steps[j] * across)
        picture = model.decode(z[None].float())[0, 0].double().numpy()
        result[i, j] = nearest(picture, gallery)[1]
    return result
