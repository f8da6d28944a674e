"""The latent space of variational autoencoders: the package behind the book.

`from vaebook import datasets, models, recipes` or simply `import vaebook`: a room is imported when
it is first used. Log densities and KL terms are in nats, images are float32 in [0, 1] of shape
[N, C, H, W].
"""

from importlib import import_module
from types import ModuleType

__all__ = [
    "datasets",
    "figures",
    "latent",
    "live",
    "measures",
    "models",
    "objectives",
    "recipes",
    "tables",
    "training",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"vaebook.{name}")
    raise AttributeError(f"module 'vaebook' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
