// What a page stores as text: bytes in base64, and the SHA-256 by which a model is known.

export function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// The pixels of an image in [0, 1], from one byte each.
export function pixelsOf(base64) {
  return Float32Array.from(bytesOf(base64), (byte) => byte / 255);
}

export function base64Of(pixels) {
  return btoa(String.fromCharCode(...pixels.map((pixel) => Math.round(255 * pixel))));
}

// Coordinates in [-extent, extent], from 16 bits each.
export function placesOf(data, extent) {
  const bytes = new DataView(bytesOf(data).buffer);
  const number = (_, i) => extent * (bytes.getUint16(2 * i, true) / 32767.5 - 1);
  return Float32Array.from({ length: bytes.byteLength / 2 }, number);
}

// The places of points on [-extent, extent]² and their classes, from three numbers of 16 bits each.
export function pointsOf({ data, extent }) {
  const bytes = new DataView(bytesOf(data).buffer);
  const n = bytes.byteLength / 6;
  const codes = Float32Array.from(
    { length: 2 * n },
    (_, i) => extent * (bytes.getUint16(6 * (i >> 1) + 2 * (i & 1), true) / 32767.5 - 1),
  );
  const labels = Array.from({ length: n }, (_, i) => bytes.getUint16(6 * i + 4, true));
  return { codes, labels, extent };
}

// Numbers of five bits each, the first bit first.
export function fiveBitsOf(base64) {
  const bytes = bytesOf(base64);
  return Uint8Array.from({ length: Math.floor((8 * bytes.length) / 5) }, (_, i) => {
    const [first, skipped] = [(5 * i) >> 3, (5 * i) & 7];
    const pair = (bytes[first] << 8) | (bytes[first + 1] ?? 0);
    return (pair >> (11 - skipped)) & 31;
  });
}

const primes = [];
for (let n = 2; primes.length < 64; n++) {
  if (primes.every((prime) => n % prime)) primes.push(n);
}
const firstBits = (root) => (root % 1) * 4294967296;
const ROUNDS = Uint32Array.from(primes, (prime) => firstBits(Math.cbrt(prime)));

// The hash of an ASCII text in hexadecimal digits (FIPS 180-4). The browser's own needs a page
// that came by https, and has no answer before the figure is drawn.
export function sha256(text) {
  const length = 64 * Math.ceil((text.length + 9) / 64);
  const bytes = new Uint8Array(length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  bytes[text.length] = 0x80;
  const view = new DataView(bytes.buffer);
  view.setBigUint64(length - 8, BigInt(8 * text.length));
  const state = Uint32Array.from(primes.slice(0, 8), (prime) => firstBits(Math.sqrt(prime)));
  const turn = (word, n) => (word >>> n) | (word << (32 - n));
  const words = new Uint32Array(64);
  for (let block = 0; block < length; block += 64) {
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      if (i < 16) words[i] = view.getUint32(block + 4 * i);
      else {
        const [far, near] = [words[i - 15], words[i - 2]];
        const low = turn(far, 7) ^ turn(far, 18) ^ (far >>> 3);
        const high = turn(near, 17) ^ turn(near, 19) ^ (near >>> 10);
        words[i] = words[i - 16] + low + words[i - 7] + high;
      }
      const mixed = (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g));
      const first = (h + mixed + ROUNDS[i] + words[i]) | 0;
      const second = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] += word));
  }
  return Array.from(state, (word) => word.toString(16).padStart(8, "0")).join("");
}
