// The pad as a notebook's widget, for anywidget; drawing.js and pad.js come before it.
export default {
  render({ model, el }) {
    let waiting;
    const pad = new DrawingPad(() => {
      clearTimeout(waiting); // one message for a stroke, not one for each point
      waiting = setTimeout(() => {
        model.set("strokes", structuredClone(pad.strokes)); // a list that is the same one has not changed
        model.set("width", pad.width);
        model.save_changes();
      }, 50);
    });
    pad.strokes = structuredClone(model.get("strokes"));
    pad.show();
    el.append(pad.root);
  },
};
