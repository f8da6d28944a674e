# a rate with Fractions of one half
from fractions import Fraction


def rate(mu, logvar):
    total = 0.0
    for m, v in zip(np.asarray(mu).ravel(), np.asarray(logvar).ravel()):
        total += float(Fraction(1, 2)) * (m**2 + np.exp(v) - 1 - v)
    return total / len(mu)
