// MNIST's frame for a drawing: the smallest box around the ink, shrunk until its longer side has 20
// pixels by averaging areas, with its centre of mass in the middle of 28 × 28.

const SIDE = 28;
const LONGEST = 20;

function boxOf(ink, side) {
  const box = { left: side, right: -1, top: side, bottom: -1 };
  for (let i = 0; i < ink.length; i++) {
    if (ink[i] <= 0.02) continue;
    const [row, column] = [Math.floor(i / side), i % side];
    box.left = Math.min(box.left, column);
    box.right = Math.max(box.right, column);
    box.top = Math.min(box.top, row);
    box.bottom = Math.max(box.bottom, row);
  }
  return box;
}

// The share of pixel i that lies between a and b.
const overlap = (i, a, b) => Math.max(0, Math.min(i + 1, b) - Math.max(i, a));

// The mean of the ink over [top, top + down] × [left, left + across].
function mean(ink, side, top, down, left, across) {
  let sum = 0;
  for (let i = Math.floor(top); i < Math.min(top + down, side); i++) {
    for (let j = Math.floor(left); j < Math.min(left + across, side); j++) {
      sum += overlap(i, top, top + down) * overlap(j, left, left + across) * ink[i * side + j];
    }
  }
  return sum / (down * across);
}

// The image of 28 × 28 for ink [side, side] in [0, 1]; null where there is no ink.
export function frame(ink, side) {
  const { left, right, top, bottom } = boxOf(ink, side);
  if (right < 0) return null;
  const [height, width] = [bottom - top + 1, right - left + 1];
  const cell = Math.max(height, width) / LONGEST;
  const high = Math.max(1, Math.round(height / cell));
  const wide = Math.max(1, Math.round(width / cell));
  const [down, across] = [height / high, width / wide];
  const small = Float32Array.from({ length: high * wide }, (_, i) => {
    const [row, column] = [Math.floor(i / wide), i % wide];
    return mean(ink, side, top + row * down, down, left + column * across, across);
  });
  let [mass, row, column] = [0, 0, 0];
  small.forEach((value, i) => {
    mass += value;
    row += value * Math.floor(i / wide);
    column += value * (i % wide);
  });
  const shift = (centre, n) =>
    Math.min(Math.max(Math.round((SIDE - 1) / 2 - centre), 0), SIDE - n);
  const first = shift(row / mass, high) * SIDE + shift(column / mass, wide);
  const image = new Float32Array(SIDE ** 2);
  small.forEach((value, i) => {
    image[first + Math.floor(i / wide) * SIDE + (i % wide)] = Math.min(value, 1);
  });
  return image;
}
