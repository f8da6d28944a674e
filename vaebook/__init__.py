"""The latent space of variational autoencoders: the package behind the book.

Import what you need by module, `from vaebook import datasets, models`; nothing heavy is
imported here. Log densities and KL terms are in nats, images are float32 in [0, 1] of shape
[N, 1, H, W].
"""

import torch

__version__ = "0.1.0"

# Dead ReLU units leave Adam's first moment stuck at denormal numbers, which slow a training step
# down by up to 1.8. Threads inherit the setting when they start, so it has to be made before the
# first parallel operation of the process.
torch.set_flush_denormal(True)
