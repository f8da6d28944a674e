# weights as lambdas
beta_of_variance = lambda variance: variance + variance
beta_of_mean = lambda weight, pixels, latents: weight / latents * pixels
