"use strict";
// The page: what is drawn is read as one draws, and every number can be asked where it came from.

const data = JSON.parse(document.getElementById("data").textContent);
const trained = readNumbers(data.numbers);
const network = new Network(data.layers, trained, data.mean, data.std);
window.network = network;

const byId = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(3);
const plain = (value) => (value === null ? "·" : value.toFixed(3).replace("-", "−"));
const KINDS = { conv: "convolution", pool: "pooling", scale: "batch norm", relu: "ReLU", log_softmax: "log softmax" };

const pad = new DrawingPad(() => {
  example = null;
  selection = null;
  refresh();
});
let example = null; // 784 pixels of an example, in place of the drawing
let selection = null; // { index, unit }: the number that is explained; null: the answer's
let pixels, outputs;

function titleOf(index) {
  if (index < 0) return "the image";
  const layer = data.layers[index];
  const kind = layer.kind === "pool" ? (layer.max ? "max pooling" : "mean pooling") : KINDS[layer.kind] || layer.kind;
  return layer.name ? `${layer.name} (${kind})` : kind;
}

// The shape in which a layer's output is shown: a flat copy of maps is still maps.
function shapeOf(index) {
  if (index < 0) return [1, 28, 28];
  return data.layers[index].kind === "flatten" ? shapeOf(index - 1) : data.layers[index].shape;
}

function nameOf(index, unit) {
  const shape = shapeOf(index);
  if (shape.length === 1) return `unit ${unit}`;
  const [map, y, x] = placeOf(shape, unit);
  return `map ${map}, row ${y}, column ${x}`;
}

// One canvas a layer: its maps in a grid, or its units in rows.
class Maps {
  constructor(index) {
    this.index = index;
    const shape = shapeOf(index);
    [this.maps, this.rows, this.columns] = shape.length === 3 ? shape : [shape[0], 1, 1];
    this.across = Math.min(this.maps, shape.length === 3 ? Math.ceil(Math.sqrt(3 * this.maps)) : 25);
    this.zoom = Math.min(Math.max(Math.floor(600 / (this.across * (this.columns + 1))), 2), 12);
    const size = shape.length === 3 ? `${shape[0]} maps of ${shape[1]} × ${shape[2]}` : `${shape[0]} units`;
    const said = index < 0 ? "28 × 28 numbers" : `${titleOf(index)}: ${size}`;
    this.canvas = element("canvas", {
      className: "maps",
      tabIndex: 0,
      aria: { role: "application", "aria-label": `${said}. Arrow keys choose a number, page keys a map.` },
    });
    this.canvas.width = this.across * (this.columns + 1) * this.zoom;
    this.canvas.height = Math.ceil(this.maps / this.across) * (this.rows + 1) * this.zoom;
    this.root = element("figure", {}, element("figcaption", { textContent: said }), this.canvas);
    this.canvas.onpointermove = this.canvas.onpointerdown = (event) => this.point(event);
    this.canvas.onkeydown = (event) => this.key(event);
  }

  place(unit) {
    const [map, y, x] = placeOf([this.maps, this.rows, this.columns], unit);
    const [down, right] = [Math.floor(map / this.across), map % this.across];
    return [(right * (this.columns + 1) + x) * this.zoom, (down * (this.rows + 1) + y) * this.zoom];
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * this.across * (this.columns + 1));
    const row = Math.floor(((event.clientY - box.top) / box.height) * (this.canvas.height / this.zoom));
    const [x, y] = [column % (this.columns + 1), row % (this.rows + 1)];
    const map = Math.floor(row / (this.rows + 1)) * this.across + Math.floor(column / (this.columns + 1));
    if (x < this.columns && y < this.rows && map >= 0 && map < this.maps)
      select(this.index, (map * this.rows + y) * this.columns + x);
  }

  key(event) {
    const size = this.rows * this.columns;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns };
    const step = { ...steps, PageUp: -size, PageDown: size }[event.key];
    if (!step) return;
    event.preventDefault();
    const unit = selection?.index === this.index ? selection.unit + step : 0;
    select(this.index, Math.min(Math.max(unit, 0), this.maps * size - 1));
  }

  draw(values, marked) {
    const context = this.canvas.getContext("2d");
    const most = values.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-9);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    values.forEach((value, unit) => {
      const strength = Math.round((255 * Math.abs(value)) / most);
      context.fillStyle = value < 0 ? `rgb(0 ${strength / 2} ${strength})` : `rgb(${strength} ${strength} ${strength * 0.7})`;
      context.fillRect(...this.place(unit), this.zoom, this.zoom);
    });
    context.lineWidth = 2;
    context.strokeStyle = "#ff5f5f";
    for (const [unit, width, height] of marked)
      context.strokeRect(...this.place(unit), width * this.zoom, height * this.zoom);
  }
}

const shown = data.layers.map((layer, index) => (layer.kind === "flatten" ? null : new Maps(index)));
const image = new Maps(-1);

function select(index, unit) {
  if (index < 0) return;
  selection = { index, unit };
  inspect();
}

// Read the drawing or the example anew, and show everything.
function refresh() {
  pixels = example ?? (byId("formed").checked ? prepare(pad.gray) : shrink(pad.gray));
  outputs = network.outputs(pixels);
  const logits = [...outputs.at(-1)];
  const shares = softmax(logits);
  const [first, second] = [...shares.keys()].sort((a, b) => shares[b] - shares[a]);
  const blank = pixels.every((pixel) => pixel === 0);
  byId("answer").textContent = blank
    ? "Draw a digit, or choose an example."
    : `It reads ${first} (${percent(shares[first])}), then ${second} (${percent(shares[second])}).`;
  byId("bars").childNodes.forEach((row, digit) => {
    row.className = digit === first && !blank ? "best" : "";
    row.children[1].firstChild.style.width = blank ? 0 : percent(shares[digit]).replace(" ", "");
    row.children[2].textContent = blank ? "" : percent(shares[digit]);
  });
  byId("partner").textContent = blank ? "" : partnerOf(first);
  inspect();
}

// Which digit the network confuses most often with this one.
function partnerOf(digit) {
  const counts = data.confusion.map((row, other) => (other === digit ? -1 : row[digit] + data.confusion[digit][other]));
  const other = counts.indexOf(Math.max(...counts));
  if (!counts[other]) return `Of the 10,000 test images, it confuses ${digit} with no other digit.`;
  const times = counts[other] === 1 ? "once" : `${counts[other]} times`;
  return `In the 10,000 test images, the digit it confuses most with ${digit} is ${other}: ${times}, either way.`;
}

function table(caption, rows) {
  const cells = (row) => row.map((value) => element("td", { textContent: plain(value) }));
  const lines = rows.map((row) => element("tr", {}, ...cells(row)));
  return element("table", {}, element("caption", { textContent: caption }), element("tbody", {}, ...lines));
}

const sum = (rows) => rows.flat().reduce((total, value) => total + value, 0);

// Draw all maps, and say how the chosen number came about.
function inspect() {
  const last = data.layers.findLastIndex((layer) => layer.kind === "linear");
  const logits = [...outputs.at(-1)];
  const { index, unit } = selection ?? { index: last, unit: logits.indexOf(Math.max(...logits)) };
  const why = network.explain(outputs, index, unit);
  const layer = data.layers[index];
  const marks = shown.map(() => []);
  const before = (windows) => {
    // mark the window in the layer that it was taken from
    const [, y, x] = placeOf(layer.shape, unit);
    const [, height, width] = shapeOf(index - 1);
    const row = Math.max(y * layer.stride[0] - layer.padding[0], 0);
    const column = Math.max(x * layer.stride[1] - layer.padding[1], 0);
    return windows.map((map) => [(map * height + row) * width + column, layer.kernel[1], layer.kernel[0]]);
  };
  let from = [];
  const parts = [];
  const say = (text) => parts.push(element("p", { textContent: text }));
  say(`${titleOf(index)}, ${nameOf(index, unit)}: ${plain(why.value)}`);
  if (why.kind === "conv") {
    const sums = why.products.map(sum);
    const most = sums.map(Math.abs).indexOf(Math.max(...sums.map(Math.abs)));
    from = before(sums.map((_, channel) => why.first + channel));
    say(
      sums.length === 1
        ? `The ${why.kernels[0].flat().length} products add up to ${plain(sums[0])}; with the bias ${signed(why.bias)} that is ${plain(why.value)}.`
        : `The products of the ${sums.length} maps before it: ${sums.map(signed).join(" ")}, and the bias ${signed(why.bias)}. Map ${why.first + most} says most:`
    );
    const tables = [table("window", why.windows[most]), table("× kernel", why.kernels[most])];
    parts.push(element("div", { className: "tables" }, ...tables, table("= products", why.products[most])));
  } else if (why.kind === "pool") {
    from = before([placeOf(layer.shape, unit)[0]]);
    say(layer.max ? "The largest number of this window:" : "The mean of this window:");
    parts.push(element("div", { className: "tables" }, table("window", why.windows[0])));
  } else if (why.kind === "linear") {
    const order = [...why.products.keys()].sort((a, b) => why.products[b] - why.products[a]);
    const line = (at) =>
      element("li", {
        textContent: `${nameOf(index - 1, at)}: ${plain(why.inputs[at])} × ${plain(why.weights[at])} = ${signed(why.products[at])}`,
      });
    const list = (title, places) => {
      const lines = places.length ? places.map(line) : [element("li", { textContent: "nothing" })];
      return element("div", {}, element("h3", { textContent: title }), element("ol", {}, ...lines));
    };
    const most = order.slice(0, 5).filter((at) => why.products[at] > 0);
    const least = order.slice(-5).reverse().filter((at) => why.products[at] < 0);
    from = [...most, ...least].map((at) => [at, 1, 1]);
    const words = index === last && layer.shape[0] === 10 ? ` for “this is a ${unit}”` : "";
    say(`${why.products.length} products add up to it, with the bias ${signed(why.bias)}. The strongest${words}:`);
    parts.push(element("div", { className: "tables" }, list("for", most), list("against", least)));
  } else {
    say(`It comes from ${plain(why.input)} at the same place before.`);
  }
  let source = index - 1;
  while (source >= 0 && !shown[source]) source--;
  if (source >= 0) marks[source] = from;
  marks[index] = [[unit, 1, 1]];
  byId("why").replaceChildren(...parts);
  image.draw(outputs[0], source < 0 ? from : []);
  shown.forEach((maps, at) => maps?.draw(outputs[at + 1], marks[at]));
}

function exampleButton({ name, pixels: text, strokes, width }) {
  const canvas = element("canvas", { aria: { "aria-hidden": "true" } });
  const values = strokes ? prepare(drawStrokes(strokes, width)) : [...atob(text)].map((c) => c.charCodeAt(0));
  paint(canvas, Array.from({ length: 28 }, (_, row) => values.slice(28 * row, 28 * row + 28)));
  const choose = () => {
    pad.clear();
    example = values;
    refresh();
  };
  return element("button", { type: "button", onclick: choose }, canvas, element("span", { textContent: name }));
}

function start() {
  byId("pad").append(pad.root);
  byId("image").append(image.root);
  byId("layers").append(...shown.filter(Boolean).map((maps) => maps.root));
  byId("bars").append(
    ...Array.from({ length: 10 }, (_, digit) =>
      element(
        "li",
        {},
        element("span", { textContent: digit }),
        element("span", { className: "bar", aria: { "aria-hidden": "true" } }, element("span")),
        element("span")
      )
    )
  );
  byId("examples").append(...data.examples.map(exampleButton));
  byId("formed").onchange = refresh;
  const moments = [...data.snapshots, { seen: data.seen, numbers: null }];
  const slider = byId("moment");
  byId("training").hidden = moments.length === 1;
  slider.max = slider.value = moments.length - 1;
  slider.oninput = () => {
    const { seen, numbers } = moments[slider.value];
    network.use(numbers ? readNumbers(numbers, true) : trained);
    const text = seen ? `after ${seen.toLocaleString("en")} images` : "untrained";
    byId("seen").textContent = numbers ? text : `trained: ${text}`;
    slider.setAttribute("aria-valuetext", text);
    refresh();
  };
  slider.oninput();
}

start();
