"use strict";
// A trained network in plain JavaScript: what each layer makes of an image, and why.

// Numbers from base64: 4 bytes each, or 2 where `half`.
function readNumbers(text, half = false) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  if (!half) return new Float32Array(bytes.buffer);
  return Float32Array.from(new Uint16Array(bytes.buffer), (bits) => {
    const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
  });
}

// One function a kind of layer: layer, its parameters and the input's values and shape, to the output's values.
const LAYERS = {
  conv(layer, [weight, bias], input, [inputs, height, width]) {
    const [outputs, rows, columns] = layer.shape;
    const { kernel, stride, padding, dilation, groups } = layer;
    const [per, sharing] = [inputs / groups, outputs / groups];
    const output = new Float64Array(outputs * rows * columns);
    for (let map = 0; map < outputs; map++) {
      const plane = output.subarray(map * rows * columns, (map + 1) * rows * columns).fill(bias[map]);
      for (let c = 0; c < per; c++) {
        const base = (Math.floor(map / sharing) * per + c) * height * width;
        for (let i = 0; i < kernel[0]; i++) {
          for (let j = 0; j < kernel[1]; j++) {
            const w = weight[((map * per + c) * kernel[0] + i) * kernel[1] + j];
            for (let y = 0; y < rows; y++) {
              const from = y * stride[0] - padding[0] + i * dilation[0];
              if (from < 0 || from >= height) continue;
              for (let x = 0; x < columns; x++) {
                const at = x * stride[1] - padding[1] + j * dilation[1];
                if (at >= 0 && at < width) plane[y * columns + x] += w * input[base + from * width + at];
              }
            }
          }
        }
      }
    }
    return output;
  },
  pool(layer, _, input, shape) {
    const [maps, rows, columns] = layer.shape;
    const output = new Float64Array(maps * rows * columns);
    for (let map = 0, at = 0; map < maps; map++)
      for (let y = 0; y < rows; y++)
        for (let x = 0; x < columns; x++, at++) {
          const values = windowOf(layer, input, shape, map, y, x).flat();
          const inside = values.filter((value) => value !== null);
          if (layer.max) output[at] = Math.max(...inside);
          else output[at] = inside.reduce((a, b) => a + b, 0) / values.length;
        }
    return output;
  },
  linear(layer, [weight, bias], input) {
    return Float64Array.from({ length: layer.shape[0] }, (_, unit) => {
      let sum = bias[unit];
      for (let i = 0, at = unit * input.length; i < input.length; i++) sum += weight[at + i] * input[i];
      return sum;
    });
  },
  scale(layer, [factor, shift], input) {
    const size = input.length / layer.shape[0];
    return input.map((value, at) => value * factor[Math.floor(at / size)] + shift[Math.floor(at / size)]);
  },
  relu: (layer, _, input) => input.map((value) => Math.max(value, 0)),
  tanh: (layer, _, input) => input.map(Math.tanh),
  sigmoid: (layer, _, input) => input.map((value) => 1 / (1 + Math.exp(-value))),
  flatten: (layer, _, input) => input,
  log_softmax(layer, _, input) {
    const most = Math.max(...input);
    const sum = Math.log(input.reduce((total, value) => total + Math.exp(value - most), 0)) + most;
    return input.map((value) => value - sum);
  },
};

// Where a unit lies in maps of a shape: [map, row, column].
function placeOf([, rows, columns], unit) {
  return [Math.floor(unit / (rows * columns)), Math.floor(unit / columns) % rows, unit % columns];
}

// The pixels of one map that lie in the window of an output's pixel, as rows; null beyond the border.
function windowOf({ kernel, stride, padding, dilation }, input, [, height, width], map, y, x) {
  return Array.from({ length: kernel[0] }, (_, i) =>
    Array.from({ length: kernel[1] }, (_, j) => {
      const row = y * stride[0] - padding[0] + i * dilation[0];
      const column = x * stride[1] - padding[1] + j * dilation[1];
      const inside = row >= 0 && row < height && column >= 0 && column < width;
      return inside ? input[(map * height + row) * width + column] : null;
    })
  );
}

class Network {
  // `layers` as export.py writes them; `numbers` holds all parameters, one layer after the other.
  constructor(layers, numbers, mean, std) {
    Object.assign(this, { layers, mean, std });
    this.use(numbers);
  }

  // Take other parameters of the same layers, such as those of an earlier moment of the training.
  use(numbers) {
    let at = 0;
    this.parameters = this.layers.map((layer) =>
      layer.sizes.map((size) => numbers.subarray(at, (at += size)))
    );
  }

  // Return what each layer makes of 784 pixels, 0 to 255; element 0 is the normalised image itself.
  outputs(pixels) {
    const outputs = [Float64Array.from(pixels, (pixel) => (pixel / 255 - this.mean) / this.std)];
    this.layers.forEach((layer, index) => {
      const made = LAYERS[layer.kind](layer, this.parameters[index], outputs[index], this.shape(index));
      outputs.push(made);
    });
    return outputs;
  }

  // The shape of the input of layer `index`: [maps, rows, columns], or [units].
  shape(index) {
    return index ? this.layers[index - 1].shape : [1, 28, 28];
  }

  logits(pixels) {
    return Array.from(this.outputs(pixels).at(-1));
  }

  prepare(gray) {
    return prepare(gray);
  }

  // Return how one number came about: output `unit` of layer `index`, given all outputs of an image.
  //   conv, pool: windows, one for each map that enters (null beyond the border); conv: kernels, products, bias too
  //   linear: inputs, weights, products, bias        the others: input
  explain(outputs, index, unit) {
    const layer = this.layers[index];
    const input = outputs[index];
    const result = { kind: layer.kind, value: outputs[index + 1][unit] };
    if (layer.kind === "linear") {
      const weights = this.parameters[index][0].subarray(unit * input.length, (unit + 1) * input.length);
      const products = Array.from(input, (value, at) => value * weights[at]);
      return { ...result, inputs: [...input], weights: [...weights], products, bias: this.parameters[index][1][unit] };
    }
    if (!layer.kernel) return { ...result, input: input[unit] };
    const [map, y, x] = placeOf(layer.shape, unit);
    const view = (channel) => windowOf(layer, input, this.shape(index), channel, y, x);
    if (layer.kind === "pool") return { ...result, windows: [view(map)] };
    const per = this.shape(index)[0] / layer.groups;
    const first = Math.floor(map / (layer.shape[0] / layer.groups)) * per;
    const windows = Array.from({ length: per }, (_, channel) => view(first + channel));
    const [weight, bias] = this.parameters[index];
    const [height, width] = layer.kernel;
    const kernels = windows.map((window, channel) =>
      window.map((row, i) => row.map((_, j) => weight[((map * per + channel) * height + i) * width + j]))
    );
    const products = windows.map((window, c) => window.map((row, i) => row.map((v, j) => v * kernels[c][i][j])));
    return { ...result, first, windows, kernels, products, bias: bias[map] };
  }
}

function softmax(logits) {
  const most = Math.max(...logits);
  const powers = logits.map((value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((value) => value / sum);
}
