"""Analysis of latent spaces: mixtures, paths, shapes, geometry, samplers, diffusion."""
