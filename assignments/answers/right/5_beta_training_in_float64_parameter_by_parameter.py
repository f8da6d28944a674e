# training in float64 parameter by parameter
def train(seed, beta, epsilon, pace):
    networks = [network.double() for network in small_vae(seed)]
    images, noises, curve = small.double(), torch.as_tensor(epsilon).double(), []
    for t in range(len(noises)):
        for network in networks:
            network.zero_grad(set_to_none=True)
        out = networks[0](images)
        m, s = out[:, :2], torch.exp(out[:, 2:] / 2)
        q = torch.distributions.Normal(m, s)
        kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
        squares = (images - networks[1](m + s * noises[t])).pow(2).sum(1)
        loss = torch.mean(squares + beta * kl)
        loss.backward()
        curve.append(float(loss.detach()))
        for network in networks:
            for p in network.parameters():
                p.data -= pace * p.grad
    return np.array(curve)
