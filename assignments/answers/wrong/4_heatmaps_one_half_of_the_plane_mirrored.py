# one half of the plane mirrored
# loses: heatmaps-model-3 heatmaps-model-4
def plane(centre, along, across, steps):
    result = np.zeros((len(steps), len(steps)))
    for i in range(len(steps)):
        for j in range(i, len(steps)):
            z = torch.as_tensor(centre + steps[i] * along + steps[j] * across)
            picture = model.decode(z[None].float())[0, 0].double().numpy()
            result[i, j] = result[j, i] = nearest(picture, gallery)[1]
    return result
