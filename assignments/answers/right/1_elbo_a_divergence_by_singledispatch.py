# a divergence by singledispatch
import functools
@functools.singledispatch
def kl_standard(mu, logvar):
    raise TypeError
@kl_standard.register
def _(mu: np.ndarray, logvar):
    return np.einsum("nd->n", (mu * mu + np.exp(logvar) - 1 - logvar) / 2)
@kl_standard.register
def _(mu: torch.Tensor, logvar):
    return ((mu * mu + logvar.exp() - 1 - logvar) / 2).sum(1)
