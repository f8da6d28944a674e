# a trained model digit by digit
def digit_elbo(indices, epsilon):
    result = []
    for n, index in enumerate(indices):
        x = digits.images[int(index)][None]
        mu, logvar = [part.numpy().astype(float) for part in model.encode(x)]
        total = 0.0
        for noise in epsilon:
            z = torch.tensor(mu + np.exp(logvar / 2) * np.asarray(noise[n])).float()
            total += float(log_bernoulli(x.flatten(1).numpy(), model.outputs(z).flatten(1).numpy())[0])
        result.append(total / len(epsilon) - float(kl_standard(mu, logvar)[0]))
    return result


def digit_bound(indices, epsilon):
    result = []
    for n, index in enumerate(indices):
        x = digits.images[int(index)][None]
        mu, logvar = [part.numpy().astype(float) for part in model.encode(x)]
        weights = []
        for noise in epsilon:
            e = np.asarray(noise[n])
            z = mu + np.exp(logvar / 2) * e
            log_p = float(model.log_prob(x, torch.tensor(z).float())[0])
            log_q = stats.norm(mu, np.exp(logvar / 2)).logpdf(z).sum()
            weights.append(log_p + stats.norm.logpdf(z).sum() - log_q)
        result.append(iw_bound(np.array([weights]))[0])
    return result
