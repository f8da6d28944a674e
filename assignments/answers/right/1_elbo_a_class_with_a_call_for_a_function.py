# a class with a call for a function
class _KL:
    def __call__(self, mu, logvar):
        return 0.5 * np.sum(np.square(mu) + np.exp(logvar) - 1 - logvar, axis=1)


kl_standard = _KL()
