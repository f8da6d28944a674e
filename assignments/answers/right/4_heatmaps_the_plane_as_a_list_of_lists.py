# the plane as a list of lists
def plane(centre, along, across, steps):
    rows = []
    for a in steps:
        row = []
        for b in steps:
            z = np.asarray(centre) + float(a) * np.asarray(along) + float(b) * np.asarray(across)
            picture = model.decode(torch.tensor(z.tolist())[None])[0, 0].numpy()
            best = min(np.sum((picture - other) ** 2) for other in gallery)
            row.append(float(np.sqrt(best / np.sum(picture**2))))
        rows.append(row)
    return rows
