// The elements that figures are built of: text, dials, buttons, rows of facts.

// The two methods, models or curves that a figure compares.
export const INKS = ["#4177dc", "#d28015"];
// The terms of the ELBO, in the whole book: TERMS of figures.schematics.
export const TERMS = {
  reconstruction: "#4177dc",
  kl: "#d28015",
  elbo: "#27750d",
  gap: "#b61a9c",
};

export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node && name !== "role") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

export const group = (kind, ...children) =>
  make("div", { className: `vaebook-live-${kind}` }, ...children);
export const note = (text) => make("p", { className: "vaebook-live-note", textContent: text });

// The dials of a figure, in as many columns as there is room for.
export const dials = (labels) => group("dials", ...Object.values(labels));

export function number(value, digits = 2) {
  const fixed = Math.abs(value).toFixed(digits);
  return (value < 0 && Number(fixed) ? "−" : "") + fixed;
}

// Two terms and their sum in words that add up: the first takes what rounding leaves.
export function addUp(first, second, digits = 2) {
  const [added, total] = [second, first + second].map((value) => Number(value.toFixed(digits)));
  return [total - added, added, total].map((value) => number(value, digits));
}

export const tuple = (z) => `(${Array.from(z, (value) => number(value)).join(", ")})`;

// A letter with an index that counts from 1.
export const indexed = (letter, j) => make("span", {}, letter, make("sub", {}, String(j + 1)));

// A range input with its name before it and its value behind it.
export function dial({ name, min, max, step, value, words = number, change }) {
  const output = make("output");
  const input = make("input", { type: "range", min, max, step });
  const label = make(
    "label",
    { className: "vaebook-live-dial" },
    make("span", {}, name),
    input,
    output,
  );
  const show = (current) => {
    input.value = current;
    output.textContent = words(current);
    input.setAttribute("aria-valuetext", words(current));
  };
  input.addEventListener("input", () => {
    show(+input.value);
    change(+input.value);
  });
  show(value);
  return { label, show };
}

// A switch with its name before it, and behind it what it is set to.
export function toggle({ name, on, off, value, change }) {
  const output = make("output");
  const input = make("input", { type: "checkbox", role: "switch" });
  const label = make(
    "label",
    { className: "vaebook-live-dial vaebook-live-toggle" },
    make("span", {}, name),
    input,
    output,
  );
  const show = (current) => {
    input.checked = Boolean(current);
    output.textContent = current ? on : off;
  };
  input.addEventListener("change", () => {
    show(Number(input.checked));
    change(Number(input.checked));
  });
  show(value);
  return { label, show };
}

// Pictures to choose one of, by a click or by the arrow keys.
export function gallery({ name, pictures, value, words, change }) {
  const kind = `vaebook-${Math.random().toString(36).slice(2)}`;
  const inputs = pictures.map((_, i) =>
    make("input", { type: "radio", name: kind, value: i, "aria-label": words(i) }),
  );
  const choices = inputs.map((input, i) => make("label", {}, input, pictures[i]));
  const label = make("fieldset", { className: "vaebook-live-gallery" });
  label.append(make("legend", { textContent: name }), ...choices);
  label.addEventListener("change", ({ target }) => change(+target.value));
  const show = (current) => inputs.forEach((input, i) => (input.checked = i === current));
  show(value);
  return { label, show };
}

export function button(text, action) {
  const node = make("button", { type: "button", textContent: text });
  node.addEventListener("click", action);
  return node;
}

function inked(node, colour) {
  if (!colour) return node;
  node.classList.add("vaebook-live-inked");
  node.style.borderInlineStartColor = colour;
  return node;
}

// Rows of a name and a value that changes, which is read aloud when it does.
export function facts(rows) {
  const list = make("dl", { className: "vaebook-live-facts" });
  const cells = rows.map(([name, colour]) => {
    const cell = make("dd");
    list.append(inked(make("dt", { textContent: name }), colour), cell);
    return cell;
  });
  const show = (values) => cells.forEach((cell, i) => (cell.textContent = values[i]));
  return { node: make("div", { role: "status" }, list), show };
}

// A picture with words below it.
export function captioned(canvas, text, colour) {
  const words = make("div", { className: "vaebook-live-note", textContent: text });
  return make("div", {}, canvas, inked(words, colour));
}
