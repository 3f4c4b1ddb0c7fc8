// The explorer, first part: what is in the page, and what a reader has asked of it. All text that
// comes from the data is set as textContent, never as markup.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const part = (id) => document.getElementById(id);

const state = {
  dataset: null, colour: "label", points: "near", drag: "lasso", adding: false, find: "",
  chosen: null, hover: null, selection: new Set(),
  which: "", label: null, cluster: null, // what is listed
  only: null, // a set of images: all others are hidden
  marks: new Map(), // image -> the label that is right
  saved: false, // corrections, since the dataset was opened
};
const panes = []; // one map, or two beside each other; filters and gallery go by the first

// -- arrays -------------------------------------------------------------------------------

function bytes(text) {
  const raw = atob(text);
  const found = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) found[i] = raw.charCodeAt(i);
  return found;
}

const decoded = new Map([Float32Array, Uint32Array, Uint16Array].map((Kind) => [Kind, new Map()]));

function numbers(text, Kind) {
  const known = decoded.get(Kind);
  if (!known.has(text)) known.set(text, new Kind(bytes(text).buffer));
  return known.get(text);
}

// -- images -------------------------------------------------------------------------------

const shown = () => state.dataset.shown;
const label = (image) => state.dataset.classes[state.dataset.labels[image]];
const source = (image) => state.dataset.sources[image] || state.dataset.images[image];
const everyone = () => Array.from({ length: shown() }, (_, image) => image);

// The images whose label is doubted, as the report lists them, those too that are not shown: image
// -> the label that fits best.
function doubted() {
  const { dataset } = state;
  const images = dataset.doubted ? [...numbers(dataset.doubted, Uint32Array)] : [];
  dataset.doubts ??= new Map(images.map((image, rank) =>
    [image, dataset.classes[numbers(dataset.likely, Uint16Array)[rank]]]));
  return dataset.doubts;
}

// The label that most of the neighbours at a depth have, or that is proposed, if it is another.
function nearby(image, layer = panes[0].layer) {
  const of = layer.suggested ?? state.dataset.suggested;
  const found = of && image < shown() ? state.dataset.classes[numbers(of, Uint16Array)[image]] : "";
  return found === label(image) ? "" : found;
}

// What the report says of a label that it doubts, else what is near.
const suggested = (image) => doubted().get(image) ?? nearby(image);

// Why nothing is suggested, in few words.
function reason(image, layer = panes[0].layer) {
  if (layer.suggested) return worst(layer).includes(image) ? "neighbours differ" : "neighbours agree";
  return state.dataset.suggested && !label(image) ? "no label proposed" : "";
}

// The images that lie among another class, the worst first.
function worst(layer = panes[0].layer) {
  return layer.worst ? [...numbers(layer.worst, Uint32Array)] : [];
}

function neighbours(image, layer) {
  const images = numbers(layer.neighbours, Uint32Array);
  const distances = numbers(layer.distances, Float32Array);
  return Array.from({ length: layer.k }, (_, rank) => ({
    image: images[image * layer.k + rank], distance: distances[image * layer.k + rank],
  }));
}

// What an image is coloured by: its keys, and the place of each image's among them.
function colouring(name, pane = panes[0]) {
  const all = [...state.dataset.colourings, ...pane.extractor.colourings];
  return all.find((one) => one.name === name);
}

function codes(name, pane = panes[0]) {
  const all = colouring(name, pane).codes; // one per depth, or one for all of them
  return numbers(all[all.length > 1 ? pane.depth : 0], Uint16Array);
}

function keyOf(name, image, pane = panes[0]) {
  return colouring(name, pane).keys[codes(name, pane)[image]];
}

const filtered = () => state.which !== "" || state.label !== null || state.cluster !== null;

// Which images the filters list: 1, or 0.
function listed() {
  const found = new Uint8Array(shown());
  const { which, marks } = state;
  const named = new Set(
    which === "doubted" ? doubted().keys() : which === "marked" ? marks.keys() : worst(),
  );
  const clusters = state.cluster === null ? null : codes("cluster");
  const cluster = clusters && colouring("cluster").keys.findIndex((k) => k.name === state.cluster);
  for (let image = 0; image < found.length; image++) {
    found[image] =
      (state.label === null || label(image) === state.label) &&
      (!clusters || clusters[image] === cluster) &&
      (!which || named.has(image) === (which !== "in place"));
  }
  return found;
}

// What the filters list, and what is on the map. Where nothing is selected the one follows the other.
function relist() {
  state.listed = listed();
  if (state.only && !state.selection.size) {
    state.only = filtered() ? new Set(everyone().filter((image) => state.listed[image])) : null;
  }
  state.visible = Uint8Array.from(state.listed, (_, image) => !state.only || state.only.has(image));
}

// Whether some images stand out from the others, and whether one of them does.
const lighting = () => state.selection.size > 0 || filtered();
const lit = (image) =>
  state.listed[image] && (!state.selection.size || state.selection.has(image));

// -- pictures -----------------------------------------------------------------------------

const sheets = new Map(); // text -> { url, picture }

function sheet(place) {
  const text = state.dataset.sheets[place];
  if (!sheets.has(text)) {
    const url = URL.createObjectURL(new Blob([bytes(text)], { type: "image/jpeg" }));
    sheets.set(text, { url, picture: null });
  }
  return sheets.get(text);
}

// Where an image's thumbnail is: its sheet, and the pixel of it at which it begins.
function tile(image) {
  const { columns, tile: side } = DATA;
  const place = image % (columns * columns);
  const at = sheet(Math.floor(image / (columns * columns)));
  return { at, left: (place % columns) * side, top: Math.floor(place / columns) * side };
}

// The sheet as a picture to draw from, or null while it is being read.
function drawable(at, then) {
  if (!at.picture) {
    at.picture = new Image();
    at.picture.src = at.url;
    at.picture.decode().then(then, then);
  }
  return at.picture.complete && at.picture.naturalWidth ? at.picture : null;
}

function thumbnail(image) {
  const thumb = document.createElement("span");
  thumb.className = "thumb";
  if (image >= shown()) {
    thumb.textContent = "not among the pictures shown";
    return thumb;
  }
  const { at, left, top } = tile(image);
  // In shares of the element, whose size is the style's.
  const share = (begin, whole) => `${(100 * begin) / Math.max(1, whole - DATA.tile)}%`;
  const all = DATA.columns ** 2;
  const held = Math.min(shown() - image + (image % all), all); // on this sheet
  const rows = Math.ceil(held / DATA.columns);
  thumb.style.backgroundImage = `url(${at.url})`;
  thumb.style.backgroundSize = `${100 * DATA.columns}% ${100 * rows}%`;
  thumb.style.backgroundPosition =
    `${share(left, DATA.columns * DATA.tile)} ${share(top, rows * DATA.tile)}`;
  return thumb;
}

const jpeg = (image) =>
  [DATA.results, "datasets", state.dataset.name, "images", state.dataset.images[image]]
    .join("/").split("/").map(encodeURIComponent).join("/");

// -- corrections --------------------------------------------------------------------------

const store = () => `depthgauge ${state.dataset.name} ${state.dataset.id}`;

function readMarks() {
  state.marks = new Map();
  try {
    for (const [name, right] of JSON.parse(localStorage.getItem(store()) ?? "[]")) {
      const image = state.dataset.images.indexOf(name);
      if (image >= 0) state.marks.set(image, right);
    }
  } catch { /* The page works without a memory. */ }
}

function keepMarks() {
  try {
    const named = [...state.marks].map(([image, right]) => [state.dataset.images[image], right]);
    localStorage.setItem(store(), JSON.stringify(named));
  } catch { /* As above. */ }
}

function table(rows) {
  const quote = (cell) =>
    /^\s|[",\r\n]|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
  return rows.map((row) => `${row.map((cell) => quote(String(cell))).join(",")}\n`).join("");
}

// Of all images, those too that are not shown: what such a table does not name has no label.
function corrections() {
  const rows = state.dataset.images.map((_, image) => {
    const right = state.marks.get(image);
    return [source(image), right ?? label(image), right === undefined ? "" : label(image)];
  });
  return table([["image", "label", "was"], ...rows]);
}

function tableOf(images) {
  const rows = images.map((image) => [
    ...[source(image), label(image), suggested(image), state.marks.get(image) ?? ""],
    state.dataset.images[image],
  ]);
  return table([["image", "label", "suggested", "corrected", "jpeg"], ...rows]);
}
