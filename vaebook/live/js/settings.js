// The settings of a figure, each declared once: as a dial, and as a part of the page's address.
//
// A control has a name, a value at the start, and either `choices`, or `min`, `max` and `step`, or `on` and `off`, the
// words for 1 and 0, or `pictures` to choose from. All values are numbers. The address is #figure?key=value&key=value.

import { dial, gallery, toggle } from "./elements.js";

const written = (key, value) => `${key}=${+value.toFixed(4)}`;

function fits({ choices, pictures, min = 0, max = pictures?.length - 1 || 1, step = 1 }, value) {
  if (choices) return choices.includes(value);
  return value >= min && value <= max && (step < 1 || Number.isInteger(value));
}

function shown(control, change) {
  const { choices, on, pictures, value } = control;
  if (pictures) return gallery({ ...control, change });
  if (on) return toggle({ ...control, change });
  if (!choices) return dial({ ...control, change });
  const { words = String } = control;
  const { label, show } = dial({
    ...control,
    min: 0,
    max: choices.length - 1,
    step: 1,
    value: choices.indexOf(value),
    words: (i) => words(choices[i]),
    change: (i) => change(choices[i]),
  });
  return { label, show: (current) => show(choices.indexOf(current)) };
}

export class Settings {
  constructor(figure, controls, changed) {
    this.figure = figure;
    this.controls = controls;
    this.values = {};
    this.parts = Object.entries(controls).map(([key, control]) => {
      this.values[key] = control.value;
      const change = (value) => {
        this.values[key] = value;
        changed([key]);
      };
      return [key, shown(control, change)];
    });
    this.start = { ...this.values };
    this.labels = Object.fromEntries(this.parts.map(([key, { label }]) => [key, label]));
  }

  set(values) {
    Object.assign(this.values, values);
    for (const [key, { show }] of this.parts) if (key in values) show(values[key]);
  }

  get address() {
    const pairs = Object.entries(this.values).map(([key, value]) => written(key, value));
    return `#${this.figure}?${pairs.join("&")}`;
  }

  // What an address asks of this figure: values that it can take, and the parts that it can't.
  // Null when the address is of something else.
  read(address) {
    const [figure, query] = address.slice(1).split("?");
    if (figure !== this.figure || query === undefined) return null;
    const values = {};
    const refused = [];
    for (const [key, text] of new URLSearchParams(query)) {
      const value = text.trim() === "" ? NaN : Number(text);
      if (key in this.controls && fits(this.controls[key], value)) values[key] = value;
      else refused.push(`${key}=${text}`);
    }
    return { values, refused };
  }
}
