# a ridge of a millionth
# loses: heatmaps-direction-2
def direction(z, factor):
    c = z - z.mean(0)
    w = np.linalg.solve(c.T @ c / len(z) + 1e-6 * np.eye(z.shape[1]), c.T @ (factor - factor.mean()))
    return w / np.linalg.norm(w)
