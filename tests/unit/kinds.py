"""All likelihoods of the package: a new one is tried wherever any of them is."""

from vaebook import models

LIKELIHOODS = [
    kind
    for kind in vars(models).values()
    if isinstance(kind, type)
    and issubclass(kind, models.Likelihood)
    and kind is not models.Likelihood
]
