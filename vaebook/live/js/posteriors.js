// A mixture of diagonal Gaussians in the plane, all of one weight: the posteriors of a few images.

const LOG_TWO_PI = Math.log(2 * Math.PI);

export class Posteriors {
  // Each is { mu, logvar }, two numbers of each.
  constructor(parts) {
    this.parts = parts.map(({ mu, logvar }) => ({ mu, logvar, sigma: logvar.map(half) }));
  }

  logDensity([x, y]) {
    const logs = this.parts.map(({ mu, logvar, sigma }) => {
      const squares = ((x - mu[0]) / sigma[0]) ** 2 + ((y - mu[1]) / sigma[1]) ** 2;
      return -0.5 * (squares + logvar[0] + logvar[1]) - LOG_TWO_PI;
    });
    const top = Math.max(...logs);
    const sum = logs.reduce((total, log) => total + Math.exp(log - top), 0);
    return top + Math.log(sum / this.parts.length);
  }

  sample(random) {
    const { mu, sigma } = this.parts[Math.floor(random.uniform() * this.parts.length)];
    return mu.map((centre, j) => centre + sigma[j] * random.normal());
  }
}

function half(logvar) {
  return Math.exp(logvar / 2);
}
