// Matrices of three by three, row by row, and what they make of a vector.

export function inverse3(m) {
  const minor = (a, b, c, d) => m[a] * m[d] - m[b] * m[c];
  const adjugate = [
    minor(4, 5, 7, 8),
    -minor(1, 2, 7, 8),
    minor(1, 2, 4, 5),
    -minor(3, 5, 6, 8),
    minor(0, 2, 6, 8),
    -minor(0, 2, 3, 5),
    minor(3, 4, 6, 7),
    -minor(0, 1, 6, 7),
    minor(0, 1, 3, 4),
  ];
  const whole = m[0] * adjugate[0] + m[1] * adjugate[3] + m[2] * adjugate[6];
  return adjugate.map((value) => value / whole);
}

export const times3 = (a, b) =>
  a.map((_, i) => {
    const [row, column] = [3 * Math.floor(i / 3), i % 3];
    return a[row] * b[column] + a[row + 1] * b[column + 3] + a[row + 2] * b[column + 6];
  });

export const onto3 = (a, v) =>
  [0, 3, 6].map((row) => a[row] * v[0] + a[row + 1] * v[1] + a[row + 2] * v[2]);

export const transposed3 = (a) => a.map((_, i) => a[3 * (i % 3) + Math.floor(i / 3)]);

export const dot3 = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const add3 = (a, b, weight = 1) => [0, 1, 2].map((j) => a[j] + weight * b[j]);

export function unit3(a) {
  const norm = Math.sqrt(dot3(a, a));
  return a.map((value) => value / norm);
}
