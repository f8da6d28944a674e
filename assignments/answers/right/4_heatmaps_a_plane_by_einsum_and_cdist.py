# a plane by einsum and cdist
from scipy.spatial.distance import cdist
def plane(centre, along, across, steps):
    c, a, b, s = (np.asarray(v) for v in (centre, along, across, steps))
    z = c + np.add.outer(np.multiply.outer(s, a), 0 * s).transpose(0, 2, 1) + np.multiply.outer(s, b)[None]
    p = model.decode(torch.tensor(z.reshape(-1, 3)).float()).detach().double().flatten(1).numpy()
    d = cdist(p, gallery.reshape(len(gallery), -1)).min(1) / np.linalg.norm(p, axis=1)
    return d.reshape(len(s), len(s)).tolist()
