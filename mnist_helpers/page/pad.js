"use strict";
// The drawing pad of the page and of the notebook's widget: mouse, pen, touch and keyboard.

const CELLS = 28; // steps of the keyboard's cursor from one side to the other

function element(name, properties = {}, ...children) {
  const { aria = {}, ...others } = properties;
  const made = Object.assign(document.createElement(name), others);
  for (const [key, value] of Object.entries(aria)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Put rows of 0 to 255 on a canvas, one pixel each.
function paint(canvas, rows) {
  canvas.width = rows[0].length;
  canvas.height = rows.length;
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  rows.forEach((row, y) =>
    row.forEach((value, x) => image.data.set([value, value, value, 255], 4 * (y * canvas.width + x)))
  );
  context.putImageData(image, 0, 0);
}

class DrawingPad {
  // `changed()` is called after each change; `strokes` and `width` are as drawStrokes takes them.
  constructor(changed) {
    Object.assign(this, { changed, strokes: [], width: 0.07, cursor: [14, 14], down: false, keyboard: false });
    this.canvas = element("canvas", {
      className: "drawing",
      tabIndex: 0,
      aria: {
        role: "application",
        "aria-label":
          "Drawing area. Arrow keys move the cursor, space puts the pen down and lifts it, U undoes, C clears.",
      },
    });
    const button = (text, act) => element("button", { type: "button", textContent: text, onclick: act });
    this.thickness = element("input", { type: "range", min: 0.02, max: 0.14, step: 0.01, value: this.width });
    this.thickness.oninput = () => this.change(() => (this.width = Number(this.thickness.value)));
    this.said = element("p", { className: "aside", aria: { role: "status" } });
    this.root = element(
      "div",
      { className: "pad" },
      this.canvas,
      element(
        "div",
        { className: "buttons" },
        button("Undo", () => this.undo()),
        button("Clear", () => this.clear()),
        button("Save as PNG", () => this.save())
      ),
      element("label", {}, "Pen: ", this.thickness),
      this.said
    );
    this.listen();
    this.show();
  }

  listen() {
    const { canvas } = this;
    const pointOf = (event) => {
      const box = canvas.getBoundingClientRect();
      const at = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
      return at.map((value) => Math.min(Math.max(value, 0), 1));
    };
    canvas.onpointerdown = (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      this.drawing = true;
      this.keyboard = this.down = false;
      this.change(() => this.strokes.push([pointOf(event)]));
    };
    canvas.onpointermove = (event) => {
      if (this.drawing) this.change(() => this.strokes.at(-1).push(pointOf(event)));
    };
    canvas.onpointerup = canvas.onpointercancel = () => (this.drawing = false);
    canvas.onblur = () => {
      this.keyboard = this.down = false;
      this.show();
    };
    canvas.onkeydown = (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      const act = { u: () => this.undo(), c: () => this.clear(), " ": () => this.pen() }[event.key];
      if (!move && !act) return;
      event.preventDefault();
      event.stopPropagation(); // JupyterLab has plans of its own for these keys
      this.keyboard = true;
      if (act) return act();
      this.cursor = this.cursor.map((at, axis) => Math.min(Math.max(at + move[axis], 0), CELLS - 1));
      this.change(() => this.down && this.strokes.at(-1).push(this.point()));
    };
  }

  point() {
    return this.cursor.map((at) => (at + 0.5) / CELLS);
  }

  pen() {
    this.down = !this.down;
    this.said.textContent = this.down ? "The pen is down." : "The pen is up.";
    this.change(() => this.down && this.strokes.push([this.point()]));
  }

  undo() {
    this.down = false;
    this.change(() => this.strokes.pop());
  }

  clear() {
    this.down = false;
    this.change(() => (this.strokes = []));
  }

  save() {
    const link = element("a", { download: "drawing.png" });
    paint(this.canvas, this.gray);
    link.href = this.canvas.toDataURL("image/png");
    link.click();
    this.show();
  }

  change(act) {
    act();
    this.show();
    this.changed();
  }

  show() {
    this.gray = drawStrokes(this.strokes, this.width);
    paint(this.canvas, this.gray);
    if (!this.keyboard) return;
    const context = this.canvas.getContext("2d");
    context.lineWidth = this.down ? 4 : 2;
    context.strokeStyle = this.down ? "#ffb000" : "#6cb6ff";
    context.strokeRect(this.cursor[0] * 10, this.cursor[1] * 10, 10, 10);
  }
}
