# pictures in float32 and a fit by a pseudoinverse
def heatmap(s1, s2, rho, size, extent):
    a = np.linspace(-extent, extent, size, dtype=np.float32)
    P = np.linalg.inv(np.array([[s1, rho * (s1 * s2) ** 0.5], [rho * (s1 * s2) ** 0.5, s2]]))
    u = np.stack(np.meshgrid(a, a), -1)
    e = np.einsum("...i,ij,...j", u, P, u)
    return np.float32(np.exp(-0.5 * (e - e.min())))
def factors(image, extent):
    a = np.linspace(-extent, extent, len(image))
    x, y = np.meshgrid(a, a)
    D = np.stack([x * x, 2 * x * y, y * y, 1 + 0 * x], -1).reshape(-1, 4)
    p = np.linalg.pinv(D) @ np.log(np.float32(image)).ravel()
    C = np.linalg.inv(-2 * np.array([[p[0], p[1]], [p[1], p[2]]]))
    return {"a": [C[0, 0], C[1, 1], C[0, 1] / np.sqrt(C[0, 0] * C[1, 1])]}["a"]
def nearest(image, gallery):
    d = [np.linalg.norm(g - image) for g in gallery]
    return int(np.argmin(d)), min(d) / np.linalg.norm(image)
def rank_correlation(a, b):
    r = lambda v: np.array([(v < x).sum() for x in v])
    return np.corrcoef(r(a), r(b))[1, 0]
def direction(z, factor):
    w = np.linalg.lstsq(np.c_[z, np.ones(len(z))], factor, rcond=None)[0][:-1]
    return w / np.sqrt(w @ w)
def summary(errors):
    return np.mean(errors), np.percentile(errors, 50), stats.moment(errors, 4) / np.var(errors) ** 2 - 3
