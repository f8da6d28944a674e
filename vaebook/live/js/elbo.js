// One datum, one latent dimension: the terms of the ELBO for q(z) = N(mu, sigma²), on a grid.

export const GRID = Float64Array.from({ length: 2401 }, (_, i) => -6 + i / 200);
const LOG_2PI = Math.log(2 * Math.PI);

export const DECODERS = {
  "straight: g(z) = z": (z) => z,
  "bent: g(z) = (z² + z)/2": (z) => (z * z + z) / 2,
};

export function logNormal(x, mean, sigma) {
  return -0.5 * (((x - mean) / sigma) ** 2 + LOG_2PI) - Math.log(sigma);
}

// KL(N(mu, sigma²) ‖ N(0, 1)), nats.
export const klToPrior = (mu, sigma) => 0.5 * (mu * mu + sigma * sigma - 1) - Math.log(sigma);

// The functions vanish at both ends of the grid, where the trapezoidal rule is all but exact.
const integral = (f) => f.reduce((sum, value) => sum + value, 0) / 200;

export function elboTerms({ g, x, noise }, mu, sigma) {
  const logProb = (z) => logNormal(x, g(z), noise);
  const joint = GRID.map((z) => Math.exp(logProb(z) + logNormal(z, 0, 1)));
  const evidence = Math.log(integral(joint));
  // In units of q, so that a narrow q is not lost between the points of the grid.
  const share = (e) => Math.exp(logNormal(e, 0, 1)) * logProb(mu + sigma * e);
  const reconstruction = integral(GRID.map(share));
  const kl = klToPrior(mu, sigma);
  const elbo = reconstruction - kl;
  const posterior = joint.map((value) => value / Math.exp(evidence));
  return { reconstruction, kl, elbo, evidence, gap: evidence - elbo, posterior };
}

// The nearest maximum of the ELBO, by a compass search in mu and log sigma.
export function bestQ(model, mu, sigma) {
  const value = ([m, s]) => elboTerms(model, m, Math.exp(s)).elbo;
  let here = [mu, Math.log(sigma)];
  let top = value(here);
  for (let size = 0.5; size > 1e-4;) {
    const ways = [
      [size, 0],
      [-size, 0],
      [0, size],
      [0, -size],
    ];
    const better = ways
      .map(([a, b]) => [here[0] + a, here[1] + b])
      .map((there) => [value(there), there])
      .find(([found]) => found > top);
    if (better) [top, here] = better;
    else size /= 2;
  }
  return [here[0], Math.exp(here[1])];
}
