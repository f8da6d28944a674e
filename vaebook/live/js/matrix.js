// Matrices in single precision and their product, four rows and two columns at a time: each number
// that is read serves several sums. Rows come in fours and columns in twos.

export class Matrix {
  constructor(rows, columns, data = new Float32Array(rows * columns), down = columns, across = 1) {
    Object.assign(this, { rows, columns, data, down, across });
  }

  get transposed() {
    return new Matrix(this.columns, this.rows, this.data, this.across, this.down);
  }
}

// out = a b. Each sum is taken in double precision.
export function multiply(out, a, b) {
  const { data: A, down: aDown, across: aAcross } = a;
  const { data: B, down: bDown, across: bAcross } = b;
  const { data: C, down, across } = out;
  const [a1, a2, a3] = [aDown, 2 * aDown, 3 * aDown];
  const n = a.columns;
  for (let column = 0; column < b.columns; column += 2) {
    for (let row = 0; row < a.rows; row += 4) {
      let i = row * aDown;
      let j = column * bAcross;
      let p0 = 0;
      let p1 = 0;
      let p2 = 0;
      let p3 = 0;
      let q0 = 0;
      let q1 = 0;
      let q2 = 0;
      let q3 = 0;
      for (let k = 0; k < n; k++, i += aAcross, j += bDown) {
        const left = B[j];
        const right = B[j + bAcross];
        const x0 = A[i];
        const x1 = A[i + a1];
        const x2 = A[i + a2];
        const x3 = A[i + a3];
        p0 += left * x0;
        p1 += left * x1;
        p2 += left * x2;
        p3 += left * x3;
        q0 += right * x0;
        q1 += right * x1;
        q2 += right * x2;
        q3 += right * x3;
      }
      let at = row * down + column * across;
      C[at] = p0;
      C[at + across] = q0;
      C[(at += down)] = p1;
      C[at + across] = q1;
      C[(at += down)] = p2;
      C[at + across] = q2;
      C[(at += down)] = p3;
      C[at + across] = q3;
    }
  }
}

// Add a bias to each row.
export function shift(out, bias) {
  const { data, rows, columns } = out;
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, i++) data[i] += bias[column];
  }
}

// The sum of the rows, which is the gradient of a bias.
export function sumRows(out, { data, rows, columns }) {
  for (let column = 0; column < columns; column++) {
    let sum = 0;
    for (let row = 0, i = column; row < rows; row++, i += columns) sum += data[i];
    out[column] = sum;
  }
}
