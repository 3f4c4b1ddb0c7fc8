// The explorer: maps of images at every depth of a network. All text that comes from the data
// is set as textContent, never as markup.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const part = (id) => document.getElementById(id);
const map = part("map");
const MOVE = 600; // milliseconds from one depth to the next
const [OPACITY, FAINT] = [0.85, 0.12];
const GLYPHS = {
  circle: "●", "triangle-up": "▲", square: "■", "triangle-down": "▼", diamond: "◆",
  cross: "✚", x: "✖", "triangle-left": "◀", "triangle-right": "▶", star: "★",
};
const KIND = document.createElement("canvas").getContext("webgl") ? "scattergl" : "scatter";

const state = {
  dataset: null, extractor: null, depth: 0, colouring: null, image: null,
  selection: new Set(), x: null, y: null, groups: [], moving: 0,
};

// -- what is in the file ------------------------------------------------------------------

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

const layer = () => state.extractor.layers[state.depth];
const shown = () => state.dataset.shown;

function codes() {
  const all = state.colouring.codes; // one a depth, or one for all of them
  return numbers(all[all.length > 1 ? state.depth : 0], Uint16Array);
}

function label(image) {
  return state.dataset.classes[state.dataset.labels[image]] || "no label";
}

const sheets = new Map();

function sheet(place) {
  const text = state.dataset.sheets[place];
  if (!sheets.has(text)) {
    sheets.set(text, URL.createObjectURL(new Blob([bytes(text)], { type: "image/jpeg" })));
  }
  return sheets.get(text);
}

function thumbnail(image, side = 96) {
  const thumb = document.createElement("div");
  thumb.className = "thumb";
  if (image >= shown()) {
    thumb.textContent = "not among the images shown";
    return thumb;
  }
  const columns = DATA.columns;
  const place = image % (columns * columns);
  thumb.style.backgroundImage = `url(${sheet(Math.floor(image / (columns * columns)))})`;
  thumb.style.backgroundSize = `${columns * side}px auto`;
  thumb.style.backgroundPosition =
    `${-(place % columns) * side}px ${-Math.floor(place / columns) * side}px`;
  return thumb;
}

function line(kind, text) {
  const element = document.createElement(kind);
  element.textContent = text;
  return element;
}

// -- the map ------------------------------------------------------------------------------

function coordinates() {
  const xy = numbers(layer().xy, Float32Array);
  const n = shown();
  return [xy.subarray(0, n), xy.subarray(n)];
}

function group() {
  state.groups = state.colouring.keys.map(() => []);
  codes().forEach((code, image) => state.groups[code].push(image));
}

const size = () => Math.min(11, Math.max(4, 260 / Math.sqrt(shown())));

function traces() {
  const points = state.colouring.keys.map((key, place) => ({
    type: KIND, mode: "markers", hoverinfo: "none", ...placed(state.groups[place]),
    marker: { color: key.colour, symbol: key.symbol, size: size(), opacity: OPACITY },
    unselected: { marker: { opacity: FAINT } },
    selectedpoints: selectedPoints(state.groups[place]),
  }));
  return [...points, {
    type: KIND, mode: "markers", hoverinfo: "skip", ...placed(ringed()),
    marker: {
      color: "#d0021b", symbol: "circle-open", line: { width: 2 },
      size: ringed().map((_, place) => size() + (place ? 7 : 14)),
    },
  }];
}

function ringed() {
  return state.image === null
    ? []
    : [state.image, ...neighbours().map((found) => found.image)].filter((i) => i < shown());
}

function placed(members) {
  return {
    x: Float32Array.from(members, (image) => state.x[image]),
    y: Float32Array.from(members, (image) => state.y[image]),
  };
}

function selectedPoints(members) {
  if (!state.selection.size) return null;
  return members.flatMap((image, place) => (state.selection.has(image) ? [place] : []));
}

const wholeMap = () => [-state.extractor.reach, state.extractor.reach];

function layout() {
  const axis = { visible: false, range: wholeMap(), zeroline: false };
  return {
    margin: { l: 4, r: 4, t: 4, b: 4 }, showlegend: false, hovermode: "closest",
    dragmode: part("drag").value, selections: [],
    // Zoom is kept until another network is chosen.
    uirevision: `${state.dataset.name} ${state.extractor.name}`,
    xaxis: { ...axis }, yaxis: { ...axis, range: wholeMap(), scaleanchor: "x" },
  };
}

const draw = () => Plotly.react(map, traces(), layout(), {
  displayModeBar: false, scrollZoom: true, responsive: true, doubleClick: false,
});

// The points move on a plain canvas that covers the map meanwhile: without a graphics card one
// frame of 10,000 points takes plotly several times as long as a reader takes for smooth.
function move() {
  const turn = ++state.moving;
  const to = coordinates();
  const from = [state.x, state.y];
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const start = performance.now();
  map.dataset.moving = true;
  const step = async (now) => {
    if (turn !== state.moving) return; // another depth was chosen meanwhile
    const passed = still ? 1 : Math.min(1, Math.max(0, (now - start) / MOVE));
    const eased = passed * passed * (3 - 2 * passed);
    const between = (a, b) => b.map((value, image) => a[image] + eased * (value - a[image]));
    [state.x, state.y] = [between(from[0], to[0]), between(from[1], to[1])];
    if (passed < 1) {
      paint();
      requestAnimationFrame(step);
      return;
    }
    await draw();
    if (turn === state.moving) map.dataset.moving = false;
  };
  requestAnimationFrame(step);
}

function paint() {
  const canvas = part("motion");
  const { xaxis, yaxis } = map._fullLayout;
  const scale = devicePixelRatio;
  canvas.width = map.clientWidth * scale;
  canvas.height = map.clientHeight * scale;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  const side = size() * 0.8;
  const left = xaxis._offset + xaxis.l2p(0) - side / 2;
  const top = yaxis._offset + yaxis.l2p(0) - side / 2;
  const [right, down] = [xaxis.l2p(1) - xaxis.l2p(0), yaxis.l2p(1) - yaxis.l2p(0)];
  state.colouring.keys.forEach((key, place) => {
    context.fillStyle = key.colour;
    for (const image of state.groups[place]) {
      context.globalAlpha = !state.selection.size || state.selection.has(image) ? OPACITY : FAINT;
      context.fillRect(left + right * state.x[image], top + down * state.y[image], side, side);
    }
  });
}

// -- what stands beside it ----------------------------------------------------------------

function showLegend() {
  part("legend").replaceChildren(...state.colouring.keys.flatMap((key, place) => {
    const members = state.groups[place];
    if (!members.length) return [];
    const button = document.createElement("button");
    button.type = "button";
    const glyph = line("span", GLYPHS[key.symbol]);
    glyph.style.color = key.colour;
    glyph.setAttribute("aria-hidden", "true");
    const name = line("span", key.name);
    name.className = "name";
    const count = line("span", members.length.toLocaleString("en"));
    count.className = "count";
    button.append(glyph, name, count);
    button.addEventListener("click", () => select(members));
    const item = document.createElement("li");
    item.append(button);
    return [item];
  }));
}

function neighbours() {
  const k = layer().k;
  const images = numbers(layer().neighbours, Uint32Array);
  const distances = numbers(layer().distances, Float32Array);
  return Array.from({ length: k }, (_, rank) => ({
    image: images[state.image * k + rank], distance: distances[state.image * k + rank],
  }));
}

function showNeighbours() {
  const none = state.image === null;
  part("neighbours-hint").hidden = !none;
  part("neighbours-title").textContent = none
    ? "Nearest neighbours"
    : `Nearest neighbours of ${state.dataset.images[state.image]} at ${layer().name}`;
  const cards = none ? [] : [{ image: state.image, distance: null }, ...neighbours()];
  part("neighbours").replaceChildren(...cards.map(({ image, distance }) => {
    const card = document.createElement("button");
    card.type = "button";
    card.disabled = image >= shown();
    const alike = label(image) === label(state.image);
    card.classList.toggle("other", !alike);
    card.append(
      thumbnail(image),
      line("strong", label(image)),
      ...(alike ? [] : [line("em", "another label")]),
      line("span", distance === null ? "this image" : `distance ${distance.toPrecision(4)}`),
      line("span", state.dataset.images[image]),
    );
    card.addEventListener("click", () => choose(image, true));
    const item = document.createElement("li");
    item.append(card);
    return item;
  }));
}

function showSelection() {
  const count = state.selection.size;
  part("selected").textContent = count
    ? `${count.toLocaleString("en")} of ${shown().toLocaleString("en")}`
    : "None. Draw around some on the map, or press a name above.";
  part("save").disabled = part("clear").disabled = !count;
}

function showDepth() {
  const count = state.extractor.layers.length;
  const facts = [layer().name, layer().reading, layer().facts].filter(Boolean).join(" · ");
  part("layer").textContent = `${state.depth + 1} of ${count}: ${facts}`;
  part("depth").value = state.depth;
  part("depth").setAttribute("aria-valuetext", `${state.depth + 1} of ${count}, ${layer().name}`);
}

function showTip(image, event) {
  const tip = part("tip");
  const value = layer().goodness && numbers(layer().goodness, Float32Array)[image];
  const lines = [line("strong", label(image)), line("span", state.dataset.images[image])];
  if (state.colouring.name !== "label" && state.colouring.name !== "goodness") {
    const key = state.colouring.keys[codes()[image]];
    lines.push(line("span", `${state.colouring.name}: ${key.name}`));
  }
  if (Number.isFinite(value)) lines.push(line("span", `goodness ${value.toFixed(3)}`));
  tip.replaceChildren(thumbnail(image), ...lines);
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(0, Math.min(event.clientX + 14, innerWidth - width - 4))}px`;
  tip.style.top = `${Math.max(0, Math.min(event.clientY + 14, innerHeight - height - 4))}px`;
}

// -- what a reader does -------------------------------------------------------------------

const imageOf = (point) => state.groups[point.curveNumber]?.[point.pointIndex];
const moving = () => map.dataset.moving === "true";

function choose(image, focus = false) {
  state.image = image;
  draw();
  showNeighbours();
  if (focus) part("neighbours").querySelector("button").focus();
}

function select(images) {
  state.selection = new Set(images);
  draw();
  showSelection();
}

function walk(depth) {
  depth = Math.min(state.extractor.layers.length - 1, Math.max(0, depth));
  if (depth === state.depth) return;
  state.depth = depth;
  part("tip").hidden = true;
  group();
  showDepth();
  showLegend();
  showNeighbours();
  move();
}

function recolour() {
  group();
  draw();
  showLegend();
}

function fill(menu, items, chosen) {
  menu.replaceChildren(...items.map((item, place) => {
    const option = line("option", item.name);
    option.value = place;
    option.selected = item === chosen;
    return option;
  }));
}

function open(dataset, extractor) {
  const another = dataset !== state.dataset;
  state.moving++; // whatever moves, stops
  map.dataset.moving = false;
  Object.assign(state, { dataset, extractor });
  if (another) Object.assign(state, { image: null, selection: new Set() });
  state.depth = Math.min(state.depth, extractor.layers.length - 1);
  const colourings = [...dataset.colourings, ...extractor.colourings];
  const same = colourings.find((one) => one.name === state.colouring?.name);
  state.colouring = same ?? colourings[0];
  [state.x, state.y] = coordinates();
  fill(part("dataset"), DATA.datasets, dataset);
  fill(part("extractor"), dataset.extractors, extractor);
  fill(part("colouring"), colourings, state.colouring);
  part("depth").max = extractor.layers.length - 1;
  part("sample").textContent = dataset.note;
  part("groups").textContent = dataset.grouped ? ", among images of other groups" : "";
  part("readings").hidden = !extractor.layers.some((one) => one.reading);
  part("colouring").onchange = (event) => {
    state.colouring = colourings[event.target.value];
    recolour();
  };
  recolour();
  showDepth();
  showNeighbours();
  showSelection();
}

function save() {
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const row = (image) => {
    const name = state.dataset.classes[state.dataset.labels[image]];
    return `${quoted(state.dataset.images[image])},${quoted(name)}\n`;
  };
  const images = [...state.selection].sort((a, b) => a - b);
  const text = ["image,label\n", ...images.map(row)];
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(text, { type: "text/csv" }));
  link.download = `${state.dataset.name}_selected.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function find() {
  const sought = part("find").value.trim();
  if (!sought) return;
  const images = state.dataset.images.slice(0, shown());
  const exact = images.indexOf(sought);
  const image = exact >= 0 ? exact : images.findIndex((name) => name.includes(sought));
  part("found").textContent = image < 0 ? "No such image is shown." : images[image];
  if (image >= 0) choose(image);
}

part("dataset").addEventListener("change", (event) => {
  const dataset = DATA.datasets[event.target.value];
  const same = dataset.extractors.find((one) => one.name === state.extractor.name);
  open(dataset, same ?? dataset.extractors[0]);
});
part("extractor").addEventListener("change", (event) => {
  open(state.dataset, state.dataset.extractors[event.target.value]);
});
part("depth").addEventListener("input", (event) => walk(Number(event.target.value)));
part("drag").addEventListener("change", (event) => {
  Plotly.relayout(map, { dragmode: event.target.value });
});
part("reset").addEventListener("click", () => {
  Plotly.relayout(map, { "xaxis.range": wholeMap(), "yaxis.range": wholeMap() });
});
part("find").addEventListener("change", find);
part("save").addEventListener("click", save);
part("clear").addEventListener("click", () => select([]));
document.addEventListener("keydown", (event) => {
  // Menus, fields and the slider itself know what to do with these keys.
  if (event.target.matches("input, select")) return;
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const last = state.extractor.layers.length - 1;
  const to = { ArrowLeft: state.depth - 1, ArrowRight: state.depth + 1, Home: 0, End: last };
  if (!(event.key in to)) return;
  event.preventDefault();
  walk(to[event.key]);
});

open(DATA.datasets[0], DATA.datasets[0].extractors[0]);
map.on("plotly_hover", ({ points, event }) => {
  const image = imageOf(points[0]);
  if (image !== undefined && !moving()) showTip(image, event);
});
map.on("plotly_unhover", () => { part("tip").hidden = true; });
map.on("plotly_click", ({ points }) => {
  const image = imageOf(points[0]);
  if (image !== undefined && !moving()) choose(image);
});
map.on("plotly_selected", (event) => {
  // Without points it only tells that the outlines were taken away, by ourselves.
  if (event?.points?.length) select(event.points.map(imageOf).filter((i) => i !== undefined));
});
