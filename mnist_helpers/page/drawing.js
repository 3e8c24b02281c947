"use strict";
// From strokes to a drawing, and from a drawing to MNIST's form: the same numbers as drawing.py and pictures.py.

const SIDE = 280; // pixels of a drawing
const FIELD = 28; // pixels of an image of MNIST
const BOX = 20; // pixels of the longer side of the digit in it
const FAINT = 0.15; // of the strongest ink; anything fainter does not enlarge the digit's box

// Return a drawing as rows of 0 to 255. Each stroke is a list of points [x, y], from 0 to 1, and so is the width.
function drawStrokes(strokes, width, side = SIDE) {
  const gray = Array.from({ length: side }, () => new Uint8Array(side));
  const radius = (width * side) / 2;
  for (const stroke of strokes) {
    stroke.forEach((point, index) => {
      const [x0, y0] = stroke[Math.max(index - 1, 0)].map((value) => value * side);
      const [x1, y1] = point.map((value) => value * side);
      const [dx, dy] = [x1 - x0, y1 - y0];
      const squared = dx * dx + dy * dy || 1;
      const limit = (value) => Math.min(Math.max(Math.floor(value), 0), side);
      const [top, bottom] = [limit(Math.min(y0, y1) - radius - 1), limit(Math.max(y0, y1) + radius + 2)];
      const [left, right] = [limit(Math.min(x0, x1) - radius - 1), limit(Math.max(x0, x1) + radius + 2)];
      for (let row = top; row < bottom; row++) {
        for (let column = left; column < right; column++) {
          const [px, py] = [column + 0.5 - x0, row + 0.5 - y0];
          const along = Math.min(Math.max((px * dx + py * dy) / squared, 0), 1);
          const [ex, ey] = [px - along * dx, py - along * dy];
          const cover = Math.min(Math.max(radius + 0.5 - Math.sqrt(ex * ex + ey * ey), 0), 1);
          gray[row][column] = Math.max(gray[row][column], Math.floor(255 * cover + 0.5));
        }
      }
    });
  }
  return gray;
}

// Round as NumPy does: halves to the even neighbour.
function round(value) {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 ? below + 1 : below;
}

// Return how strong the ink is, 0 to 255, or null if the drawing is blank; see find_ink in pictures.py.
function findInk(gray) {
  const border = [...gray[0], ...gray.at(-1), ...gray.flatMap((row) => [row[0], row.at(-1)])];
  border.sort((one, other) => one - other);
  const strongest = gray.reduce((most, row) => row.reduce((a, b) => Math.max(a, b), most), 0);
  const place = 0.9 * (border.length - 1);
  const [low, high] = [border[Math.floor(place)], border[Math.ceil(place)]];
  let noise = low + (high - low) * (place - Math.floor(place));
  if (noise > 0.4 * strongest) noise = 0; // a stroke that touches the border
  if (strongest - noise < 24) return null;
  const f = Math.fround; // NumPy computes this in float32
  noise = f(noise);
  const scale = (value) => f(f(255 * f(value - noise)) / f(strongest - noise));
  return gray.map((row) => Array.from(row, (value) => round(Math.min(Math.max(scale(value), 0), 255))));
}

function crop(ink) {
  const strongest = Math.max(...ink.map((row) => Math.max(...row)));
  const seen = ink.map((row) => row.map((value) => value > FAINT * strongest));
  const rows = [...seen.keys()].filter((row) => seen[row].includes(true));
  const columns = [...seen[0].keys()].filter((column) => seen.some((row) => row[column]));
  return ink.slice(rows[0], rows.at(-1) + 1).map((row) => row.slice(columns[0], columns.at(-1) + 1));
}

// Keys' cubic with a = -0.5, which Pillow calls BICUBIC.
function cubic(x) {
  x = Math.abs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
}

// Resize each row to `size` as Pillow does: the mean of an area when it shrinks, cubic when it grows.
function resizeRows(rows, size) {
  const length = rows[0].length;
  if (length === size) return rows;
  const scale = length / size;
  const wide = Math.max(scale, 1);
  const [support, kernel] = scale > 1 ? [0.5, (x) => (x > -0.5 && x <= 0.5 ? 1 : 0)] : [2, cubic];
  const taps = Array.from({ length: size }, (_, index) => {
    const centre = (index + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support * wide + 0.5), 0);
    const last = Math.min(Math.trunc(centre + support * wide + 0.5), length);
    const weights = [];
    for (let at = first; at < last; at++) weights.push(kernel((at - centre + 0.5) * (1 / wide)));
    const sum = weights.reduce((a, b) => a + b, 0);
    // Pillow computes in whole numbers, 22 bits after the point.
    return [first, weights.map((weight) => Math.trunc((weight / sum) * 2 ** 22 + (weight < 0 ? -0.5 : 0.5)))];
  });
  return rows.map((row) =>
    taps.map(([first, weights]) => {
      const sum = weights.reduce((total, weight, at) => total + weight * row[first + at], 2 ** 21);
      return Math.min(Math.max(Math.floor(sum / 2 ** 22), 0), 255);
    })
  );
}

const transpose = (rows) => rows[0].map((_, column) => rows.map((row) => row[column]));

// Return where the digit begins on one axis so that its centre of mass lies in the middle.
function startOf(rows) {
  const mass = rows.map((row) => row.reduce((a, b) => a + b, 0));
  const middle = mass.reduce((sum, value, at) => sum + value * at, 0) / mass.reduce((a, b) => a + b, 0);
  return Math.min(Math.max(Math.ceil(FIELD / 2 - 0.5 - middle), 0), FIELD - rows.length);
}

// Return 784 numbers, 0 to 255: the drawing as MNIST stores a digit; see read_digit in pictures.py.
function prepare(gray) {
  const pixels = new Array(FIELD * FIELD).fill(0);
  const ink = findInk(gray);
  if (!ink) return pixels;
  const cropped = crop(ink);
  const [height, width] = [cropped.length, cropped[0].length];
  const scale = BOX / Math.max(height, width);
  const [rows, columns] = [height, width].map((side) => Math.max(round(scale * side), 1));
  let digit = transpose(resizeRows(transpose(resizeRows(cropped, columns)), rows));
  const strongest = Math.max(...digit.flat());
  if (!strongest) return pixels;
  digit = digit.map((row) => row.map((value) => round(value * (255 / strongest))));
  const [top, left] = [startOf(digit), startOf(transpose(digit))];
  digit.forEach((row, y) => row.forEach((value, x) => (pixels[(top + y) * FIELD + left + x] = value)));
  return pixels;
}

// Return 784 numbers: the drawing made smaller and left as it is, each pixel the mean of a square.
function shrink(gray) {
  return transpose(resizeRows(transpose(resizeRows(gray, FIELD)), FIELD)).flat();
}
