// The heatmaps' own geometry on an infinite frame: a cone, and the flat sector between two of them.
//
// A heatmap of covariance Σ lies at r = √(2π) |Σ|^¼ from the apex, and two of them at an angle
// φ = λ / (2√2) from each other, e^±λ being the eigenvalues of Σ₁⁻¹ Σ₂ once both have
// determinant 1. Covariances are [xx, xy, yy].

const determinant = ([xx, xy, yy]) => xx * yy - xy * xy;

export const covariance = ([s1, s2, rho]) => [s1, rho * Math.sqrt(s1 * s2), s2];
export const factorsOf = ([xx, xy, yy]) => [xx, yy, xy / Math.sqrt(xx * yy)];

export const radius = (sigma) => Math.sqrt(2 * Math.PI) * determinant(sigma) ** 0.25;

export class Cone {
  constructor(one, two) {
    [this.one, this.two] = [one, two].map(covariance);
    this.shapes = [this.one, this.two].map((sigma) => {
      const scale = Math.sqrt(determinant(sigma));
      return sigma.map((value) => value / scale);
    });
    const [a, b] = this.shapes;
    this.lambda = Math.acosh(Math.max((a[2] * b[0] + a[0] * b[2]) / 2 - a[1] * b[1], 1));
    this.radii = [this.one, this.two].map(radius);
    this.angle = this.lambda / (2 * Math.SQRT2);
    const [r1, r2] = this.radii;
    const across = Math.sin(Math.min(this.angle, Math.PI) / 2);
    this.distance = Math.sqrt((r1 - r2) ** 2 + 4 * r1 * r2 * across ** 2);
  }

  // The shape at a share of the angle, of determinant 1; it may lie beyond both.
  shape(share) {
    const { lambda } = this;
    const flat = lambda < 1e-6;
    const weight = (part) => (flat ? part : Math.sinh(part * lambda) / Math.sinh(lambda));
    const [a, b] = this.shapes;
    return a.map((value, i) => weight(1 - share) * value + weight(share) * b[i]);
  }

  // The covariance at a radius and an angle from the first.
  at(r, angle) {
    const shape = this.shape(this.angle > 0 ? angle / this.angle : 0);
    return shape.map((value) => (value * r * r) / (2 * Math.PI));
  }

  // The radius and the angle at a share of the straight line.
  polar(share) {
    const [r1, r2] = this.radii;
    const x = (1 - share) * r1 + share * r2 * Math.cos(this.angle);
    const y = share * r2 * Math.sin(this.angle);
    return [Math.hypot(x, y), Math.atan2(y, x)];
  }

  // The factors of a heatmap on the shortest way.
  along(share) {
    return factorsOf(this.at(...this.polar(share)));
  }
}
