// The vectors of a codebook in the plane: whose codes are whose, what that costs, and a step of
// k-means.

// The number of the vector that is nearest to each code; codes are x and y in turn.
export function owners(codes, vectors) {
  return Uint8Array.from({ length: codes.length / 2 }, (_, i) => {
    let [best, least] = [0, Infinity];
    vectors.forEach(([x, y], k) => {
      const far = (codes[2 * i] - x) ** 2 + (codes[2 * i + 1] - y) ** 2;
      if (far < least) [best, least] = [k, far];
    });
    return best;
  });
}

// Counts and sums of the codes of each vector, and the mean squared distance.
function taken(codes, vectors) {
  const sums = vectors.map(() => [0, 0, 0]);
  let square = 0;
  owners(codes, vectors).forEach((k, i) => {
    const [x, y] = [codes[2 * i], codes[2 * i + 1]];
    sums[k][0] += x;
    sums[k][1] += y;
    sums[k][2] += 1;
    square += (x - vectors[k][0]) ** 2 + (y - vectors[k][1]) ** 2;
  });
  return { sums, distance: (2 * square) / codes.length };
}

// Counts, mean squared distance and the entropy of the usage in nats.
export function usage(codes, vectors) {
  const { sums, distance } = taken(codes, vectors);
  const counts = sums.map(([, , n]) => n);
  const shares = counts.filter(Boolean).map((n) => (2 * n) / codes.length);
  const entropy = -shares.reduce((sum, share) => sum + share * Math.log(share), 0);
  return { counts, distance, entropy };
}

// Each vector moves to the mean of its codes; one without codes stays.
export function lloyd(codes, vectors) {
  const { sums } = taken(codes, vectors);
  return vectors.map((vector, k) => {
    const [x, y, n] = sums[k];
    return n ? [x / n, y / n] : vector;
  });
}

// Each vector without codes moves to a code that is drawn, and no two to the same while there are enough.
export function restart(codes, vectors, random) {
  const { sums } = taken(codes, vectors);
  const drawn = new Set();
  return vectors.map((vector, k) => {
    if (sums[k][2]) return vector;
    let i;
    do i = Math.floor((random.uniform() * codes.length) / 2);
    while (drawn.has(i) && 2 * drawn.size < codes.length);
    drawn.add(i);
    return [codes[2 * i], codes[2 * i + 1]];
  });
}

// The corners of what lies nearer to vector k than to the others, within [-extent, extent]².
export function cell(vectors, k, extent) {
  const [x, y] = vectors[k];
  let corners = [
    [-extent, -extent],
    [extent, -extent],
    [extent, extent],
    [-extent, extent],
  ];
  vectors.forEach(([u, v], j) => {
    const [across, up] = [u - x, v - y];
    if (j === k || (!across && !up)) return;
    const beyond = ([a, b]) => across * (a - (u + x) / 2) + up * (b - (v + y) / 2);
    corners = corners.flatMap((corner, i) => {
      const next = corners[(i + 1) % corners.length];
      const [here, there] = [beyond(corner), beyond(next)];
      const kept = here <= 0 ? [corner] : [];
      if (here * there < 0) {
        const share = here / (here - there);
        kept.push(corner.map((value, d) => value + share * (next[d] - value)));
      }
      return kept;
    });
  });
  return corners;
}
