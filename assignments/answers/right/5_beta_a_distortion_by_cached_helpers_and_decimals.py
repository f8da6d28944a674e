# a distortion by cached helpers and Decimals
from decimal import Decimal
from functools import lru_cache
@lru_cache(maxsize=None)
def _square(d): return Decimal(d) ** 2
def distortion(x, recon):
    return sum(_square(float(a - b)) for r, s in zip(x, recon) for a, b in zip(r, s)) / len(x)
