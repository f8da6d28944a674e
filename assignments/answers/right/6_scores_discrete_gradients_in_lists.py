# discrete gradients in lists
from math import exp, log

def _log_softmax(row):
    top = max(row)
    total = log(sum(exp(v - top) for v in row))
    return [v - top - total for v in row]

def elbo_gradient(logits, log_joint):
    rows = []
    for row, joint in zip(logits.tolist(), log_joint.tolist()):
        logs = _log_softmax(row)
        q, f = [exp(v) for v in logs], [j - v for j, v in zip(joint, logs)]
        mean = sum(p * v for p, v in zip(q, f))
        rows.append([p * (v - mean) for p, v in zip(q, f)])
    return rows

def straight_through_bias(logits, x, weights):
    q = [exp(v) for v in _log_softmax(logits.tolist())]
    w, size = weights.tolist(), len(q)
    sigma = lambda v: 1 / (1 + exp(-v)) if v > 0 else exp(v) / (1 + exp(v))
    soft = lambda v: max(v, 0) + log(1 + exp(-abs(v)))
    value = [sum(p * r[k] - soft(r[k]) for p, r in zip(x, w)) for k in range(size)]
    slope = [sum(q[k] * (p - sigma(r[k])) * r[i] for p, r in zip(x, w) for k in range(size))
             for i in range(size)]
    gap = [s - v for s, v in zip(slope, value)]
    mean = sum(p * g for p, g in zip(q, gap))
    return tuple(p * (g - mean) for p, g in zip(q, gap))
