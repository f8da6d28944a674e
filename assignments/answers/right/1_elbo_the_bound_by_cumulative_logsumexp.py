# the bound by cumulative logsumexp
def iw_bound(log_weights):
    w = torch.as_tensor(log_weights)
    return torch.logcumsumexp(w, 1)[:, -1] - torch.tensor(float(w.shape[1])).log()
