# half a digit pixel by pixel
def seen_likelihood(index, z):
    image = digits.images[index][0].numpy().astype(float)
    result = []
    for code in np.asarray(z):
        logits = model.outputs(torch.tensor(code[None]).float())[0, 0].numpy().astype(float)
        total = 0.0
        for i in range(14):
            for j in range(28):
                a = logits[i, j]
                total += image[i, j] * a - max(a, 0.0) - np.log1p(np.exp(-abs(a)))
        result.append(total)
    return np.array(result)
