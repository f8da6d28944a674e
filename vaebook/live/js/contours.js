// Lines of equal density on a square of the plane, each about a given share of the mass.

export const SIDE = 96; // points of the grid along a side

// The places of the grid on [-extent, extent]², row by row from the top.
export const gridPlace = (k, extent) => [
  extent * ((2 * (k % SIDE)) / (SIDE - 1) - 1),
  extent * (1 - (2 * Math.floor(k / SIDE)) / (SIDE - 1)),
];

// The log density at which the densest part of the square holds a share of its mass.
export function levelOf(logs, share) {
  const sorted = Float64Array.from(logs).sort().reverse();
  const masses = sorted.map((log) => Math.exp(log - sorted[0]));
  const whole = masses.reduce((sum, mass) => sum + mass, 0);
  let held = 0;
  for (let i = 0; i < sorted.length; i++) {
    held += masses[i];
    if (held >= share * whole) return sorted[i];
  }
  return sorted.at(-1);
}

// Where an edge of a cell crosses the level, in grid units.
function crossings(logs, row, column, level) {
  const corners = [
    [row, column],
    [row, column + 1],
    [row + 1, column + 1],
    [row + 1, column],
  ];
  const found = [];
  corners.forEach(([r, c], i) => {
    const [s, d] = corners[(i + 1) % 4];
    const [a, b] = [logs[r * SIDE + c] - level, logs[s * SIDE + d] - level];
    if (a >= 0 === b >= 0) return;
    const share = a / (a - b);
    found.push([c + share * (d - c), r + share * (s - r)]);
  });
  return found;
}

// Segments of a line of equal density, pairs of places in grid units.
export function contour(logs, level) {
  const segments = [];
  for (let row = 0; row < SIDE - 1; row++) {
    for (let column = 0; column < SIDE - 1; column++) {
      const found = crossings(logs, row, column, level);
      for (let i = 0; i + 1 < found.length; i += 2) segments.push([found[i], found[i + 1]]);
    }
  }
  return segments;
}
