# training with numpy and gradients by hand
def train(seed, beta, epsilon, pace):
    enc, dec = small_vae(seed)
    W1, b1, W2, b2 = (p.detach().double().numpy().copy() for p in enc.parameters())
    V1, c1, V2, c2 = (p.detach().double().numpy().copy() for p in dec.parameters())
    x, out, n = small.double().numpy(), [], 64
    for e in np.asarray(epsilon):
        h = np.tanh(x @ W1.T + b1); o = h @ W2.T + b2; mu, lv = o[:, :2], o[:, 2:]
        sd = np.exp(lv / 2); z = mu + sd * e
        g = np.tanh(z @ V1.T + c1); r = g @ V2.T + c2
        out.append((((x - r) ** 2).sum(1) + beta * 0.5 * (mu**2 + np.exp(lv) - 1 - lv).sum(1)).mean())
        dr = 2 * (r - x) / n; dg = dr @ V2 * (1 - g**2); dz = dg @ V1
        do = np.concatenate([dz + beta * mu / n, dz * e * sd / 2 + beta * 0.5 * (np.exp(lv) - 1) / n], 1)
        dh = do @ W2 * (1 - h**2)
        for P, G in ((V2, dr.T @ g), (c2, dr.sum(0)), (V1, dg.T @ z), (c1, dg.sum(0)), (W2, do.T @ h), (b2, do.sum(0)), (W1, dh.T @ x), (b1, dh.sum(0))):
            P -= pace * G
    return out
