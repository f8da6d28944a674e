# a test bench by an enumeration of strings
import enum
class Kind(str, enum.Enum):
    C = "correct"; P = "proposal"; R = "ratio"; S = "repeats"
def diagnose(sampler, rng):
    flat = np.asarray(sampler(lambda z: np.zeros(len(z)), rng.normal(size=(800, 1)), 0.6, 30, rng))[-1]
    if flat.var() < 0.7:
        return Kind.P.value
    s = np.asarray(sampler(lambda z: -4 * (z[:, 0] - 2) ** 2, np.full((800, 1), 16 / 9.0), 0.6, 80, rng))
    if not (np.diff(s, axis=0) == 0).any():
        return Kind.S.value
    return (Kind.C if abs(s[40:].mean() - 16 / 9) < 0.3 else Kind.R).value
