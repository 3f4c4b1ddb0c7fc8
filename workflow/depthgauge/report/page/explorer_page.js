// The explorer, last part: what a reader does, and the address in which it stands.

// -- doing --------------------------------------------------------------------------------

// Show what has changed. All of it is quickly made, but for the maps, which wait for a frame.
function refresh({ depths = true } = {}) {
  relist();
  if (depths) panes.forEach((pane) => showDepths(pane, (depth) => walk(pane, depth)));
  showLegend(pressKey);
  showGallery({ choose: pressPicture, mark });
  showNeighbours(choose);
  showMarks();
  for (const pane of panes) {
    if (pane.root.dataset.moving !== "true") pane.draw();
  }
  writeAddress();
}

function choose(image) {
  state.chosen = image !== null && image < shown() ? image : null;
  if (state.chosen !== null) {
    part("told").textContent = [source(image), ...words(image)].join(", ");
    if (narrow()) tab("near");
  }
  refresh({ depths: false });
}

// mode: "more" adds, "less" takes away, else the images take the place of what was selected.
function select(images, mode = null, found = "") {
  mode ||= state.adding && "more";
  if (state.find !== found) {
    state.find = part("find").value = found;
    part("status").textContent = "";
  }
  const kept = mode ? new Set(state.selection) : new Set();
  for (const image of images) mode === "less" ? kept.delete(image) : kept.add(image);
  state.selection = kept;
  if (!kept.size) state.only = null;
  many.shown = MANY;
  part("gallery").scrollTop = 0;
  if (images.length && narrow()) tab("gallery");
  refresh({ depths: false });
}

const none = () => select([...state.selection], "less");

// What is pressed again is taken away.
function toggle(images, mode = "more") {
  const again = images.every((image) => state.selection.has(image));
  select(images, again ? "less" : mode);
}

const pressKey = (images, event) => toggle(images, event.shiftKey ? "more" : null);

const pressPicture = (image, event) =>
  event.shiftKey || state.adding ? toggle([image]) : choose(image);

function only() {
  state.only = state.only ? null : new Set(gallery());
  refresh({ depths: false });
}

function mark(images, right) {
  for (const image of images) {
    if (right === undefined || right === label(image)) state.marks.delete(image);
    else state.marks.set(image, right);
  }
  keepMarks();
  refresh({ depths: false });
}

// What a mark is for: the selection, else the chosen image.
const marked = () =>
  state.selection.size ? [...state.selection] : state.chosen === null ? [] : [state.chosen];

function hover(image, event, pane) {
  if (image !== state.hover) {
    state.hover = image;
    panes.forEach((pane) => pane.overlay());
  }
  showTip(image, event, pane);
}

function walk(pane, depth) {
  depth = Math.min(pane.extractor.layers.length - 1, Math.max(0, depth));
  if (depth === pane.depth) return;
  part("tip").hidden = true;
  state.hover = null;
  many.shown = MANY;
  pane.depth = depth;
  relist(); // what lies among another class, and the clusters, are another depth's
  pane.show(pane.extractor, depth);
  part("told").textContent = [pane.layer.name, pane.layer.reading, ofHundred(pane.layer)]
    .filter(Boolean).join(", ");
  menus();
  refresh();
}

// The advised depth of an extractor, else the most accurate one, else the last.
function opening(extractor) {
  const advised = extractor.layers.findIndex((layer) => layer.advised);
  if (advised >= 0) return advised;
  const best = Math.max(...extractor.layers.map((layer) => layer.accuracy ?? -1));
  return best < 0
    ? extractor.layers.length - 1
    : extractor.layers.findIndex((layer) => layer.accuracy === best);
}

function openingExtractor(dataset) {
  const best = (one) => Math.max(...one.layers.map((layer) => layer.accuracy ?? -1));
  return dataset.extractors.find((one) => one.name === dataset.advised?.[0])
    ?? dataset.extractors.reduce((a, b) => (best(b) > best(a) ? b : a));
}

function setExtractor(pane, extractor, depth = opening(extractor)) {
  pane.show(extractor, depth);
  if (state.colour && !colouring(state.colour)) state.colour = "label";
}

function addPane() {
  const pane = new Pane({ choose, select, toggle, hover });
  pane.root.querySelector(".extractor").addEventListener("change", (event) => {
    setExtractor(pane, state.dataset.extractors[event.target.value]);
    menus();
    refresh();
  });
  panes.push(pane);
  part("panes").append(pane.root);
  pane.over.classList.toggle("moves", state.drag === "move");
  return pane;
}

// A second map: the network's neighbouring depth, to begin with.
function beside(extractor, depth) {
  if (panes.length < 2) addPane();
  const [first, second] = panes;
  const next = first.depth ? first.depth - 1 : Math.min(1, first.extractor.layers.length - 1);
  setExtractor(second, extractor ?? first.extractor, depth ?? next);
  part("beside").setAttribute("aria-pressed", true);
  part("panes").classList.add("two");
}

function alone() {
  panes.splice(1).forEach((pane) => pane.root.remove());
  part("beside").setAttribute("aria-pressed", false);
  part("panes").classList.remove("two");
}

function open(dataset) {
  Object.assign(state, {
    dataset, chosen: null, hover: null, selection: new Set(), only: null, which: "", label: null,
    cluster: null, find: "", saved: false,
  });
  many.shown = MANY;
  readMarks();
  state.listed = state.visible = new Uint8Array(shown()).fill(1);
  if (!panes.length) addPane();
  alone();
  const extractor = openingExtractor(dataset);
  setExtractor(panes[0], extractor);
  part("find").value = "";
  part("status").textContent = "";
  part("sample").textContent = dataset.note;
  part("doubting").hidden = !dataset.doubted;
  part("groups").textContent = dataset.grouped ? " among pictures of other groups" : "";
  part("readings").hidden = !dataset.extractors.some((one) => one.layers.some((l) => l.reading));
  menus();
}

function menus() {
  const { dataset } = state;
  const [pane] = panes;
  fill(part("dataset"), DATA.datasets.map((one, at) => [String(at), one.name]),
    String(DATA.datasets.indexOf(dataset)));
  const kinds = [...dataset.colourings, ...pane.extractor.colourings].map((one) => one.name);
  fill(part("colouring"), kinds.map((name) => [name, term(name)]), state.colour);
  part("cluster-word").textContent = term("cluster");
  const which = [
    ["", "all pictures"],
    ...(dataset.doubted ? [["doubted", "label doubted, as in the report"]] : []),
    ...(pane.layer.worst
      ? [["misplaced", "among another class, at this depth"], ["in place", "not among another"]] : []),
    ["marked", "corrected"],
  ];
  fill(part("which"), which, state.which);
  // Names are chosen by their places, for any text may be a name.
  const choice = (name, names, chosen) =>
    fill(part(name), [["", "all"], ...names], chosen === -1 ? "" : String(chosen));
  const present = new Set(dataset.labels.slice(0, shown()));
  const labels = dataset.classes.map((one, place) => [String(place), one || "no label"]);
  choice("by-label", labels.filter((_, place) => present.has(place)),
    state.label === null ? -1 : dataset.classes.indexOf(state.label));
  const clusters = colouring("cluster").keys.map((key) => key.name);
  if (state.cluster !== null && !clusters.includes(state.cluster)) state.cluster = null;
  choice("by-cluster", clusters.map((one, place) => [String(place), one]),
    clusters.indexOf(state.cluster));
  part("classes").replaceChildren(...dataset.classes.filter(Boolean).map((one) => {
    const option = document.createElement("option");
    option.value = one;
    return option;
  }));
  part("drag").value = state.drag;
  part("points").value = state.points;
}

function find(text) {
  const asked = text.trim();
  if (!asked) return select([], "less");
  const sought = asked.toLowerCase();
  const has = (words) => words.toLowerCase().includes(sought);
  const hits = everyone().filter((image) =>
    has(state.dataset.images[image]) || has(source(image)) || has(label(image)));
  select(hits, null, asked);
  if (hits.length === 1) choose(hits[0]);
  part("status").textContent = hits.length
    ? `${say(hits.length, "picture")} with “${asked}” in name or class.`
    : `No picture shown has “${asked}” in its name or class.`;
}

function save(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function tab(name) {
  for (const one of document.querySelectorAll("[data-tab]")) {
    const own = one.dataset.tab === name;
    one.classList.toggle("shown", own);
    if (one.matches("button")) one.setAttribute("aria-pressed", own);
  }
  showMore();
}

// -- the address --------------------------------------------------------------------------

const NAMED = 100; // images of a selection that the address names

function address() {
  const { dataset, selection, which } = state;
  const [first, second] = panes;
  const reading = first.layer.reading.replaceAll(", ", ".") || "-";
  const places = [dataset.name, first.extractor.name, first.layer.name, reading];
  const names = (images) => [...images].map((i) => encodeURIComponent(dataset.images[i])).join(",");
  const said = [];
  if (["doubted", "misplaced", "marked"].includes(which)) said.push(which);
  if (which === "in place") said.push("misplaced=no");
  if (state.label !== null) said.push(`label=${encodeURIComponent(state.label)}`);
  if (state.cluster !== null) said.push(`cluster=${encodeURIComponent(state.cluster)}`);
  if (state.find) said.push(`find=${encodeURIComponent(state.find)}`);
  else if (selection.size && selection.size <= NAMED) said.push(`select=${names(selection)}`);
  if (state.only && (state.find || selection.size <= NAMED)) said.push("only");
  if (state.chosen !== null) said.push(`image=${names([state.chosen])}`);
  if (state.colour !== "label") said.push(`colour=${encodeURIComponent(state.colour)}`);
  if (state.points !== "near") said.push(`points=${state.points}`);
  if (second) {
    said.push(`beside=${encodeURIComponent(`${second.extractor.name}/${second.layer.name}`)}`);
  }
  return `#${[...places.map(encodeURIComponent), ...said].join("/")}`;
}

let written = null;

function writeAddress() {
  if (!state.settled) return;
  written = address();
  if (location.hash !== written) history.replaceState(null, "", written);
}

function readAddress() {
  const unknown = [];
  const read = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  const [name, extractor, layer, reading, ...said] = location.hash.slice(1).split("/");
  // What is called so, or else the one that is opened without being asked for.
  const called = (all, text, otherwise) => {
    const found = text && all.find((one) => one.name === read(text));
    if (text && !found) unknown.push(read(text));
    return found || otherwise;
  };
  state.settled = false;
  state.colour = "label";
  state.points = "near";
  open(called(DATA.datasets, name, DATA.datasets[0]));
  const { dataset } = state;
  const at = (one, text) => one.layers.indexOf(called(one.layers, text, one.layers[opening(one)]));
  const network = called(dataset.extractors, extractor, panes[0].extractor);
  setExtractor(panes[0], network, at(network, layer));
  const own = panes[0].layer.reading.replaceAll(", ", ".");
  if (reading && reading !== "-" && own && read(reading) !== own) unknown.push(read(reading));
  const image = (text) => {
    const found = dataset.images.slice(0, shown()).indexOf(read(text));
    if (found < 0) unknown.push(read(text));
    return found;
  };
  const oneOf = (all, text) => {
    if (all.includes(read(text))) return read(text);
    unknown.push(read(text));
    return null;
  };
  const later = [];
  for (const one of said.filter(Boolean)) {
    const [word, ...rest] = one.split("=");
    const value = rest.join("=");
    const does = {
      misplaced: () => {
        if (panes[0].layer.worst) state.which = value === "no" ? "in place" : "misplaced";
      },
      doubted: () => { if (dataset.doubted) state.which = "doubted"; },
      marked: () => { state.which = "marked"; },
      label: () => { state.label = oneOf(dataset.classes, value); },
      cluster: () => {
        state.cluster = oneOf(colouring("cluster").keys.map((key) => key.name), value);
      },
      select: () => {
        state.selection = new Set(value.split(",").map(image).filter((i) => i >= 0));
      },
      only: () => later.push(() => {
        relist();
        if (lighting()) state.only = new Set(everyone().filter(lit));
      }),
      image: () => {
        const found = image(value);
        state.chosen = found < 0 ? null : found;
        tab("near");
      },
      find: () => { part("find").value = read(value); find(read(value)); },
      colour: () => { if (colouring(read(value))) state.colour = read(value); },
      points: () => { if (["dots", "pictures"].includes(value)) state.points = value; },
      beside: () => {
        const [other, ...deep] = read(value).split("/");
        const found = called(dataset.extractors, encodeURIComponent(other), panes[0].extractor);
        beside(found, at(found, encodeURIComponent(deep.join("/"))));
      },
    }[word];
    if (does) does();
    else unknown.push(one);
  }
  later.forEach((does) => does());
  menus();
  state.settled = true;
  refresh();
  if (unknown.length) {
    part("status").textContent = `The address asks for what is not here: ${unknown.join(", ")}.`;
  }
}

// -- listening ----------------------------------------------------------------------------

const on = (name, kind, does) => part(name).addEventListener(kind, does);

on("dataset", "change", (event) => {
  const name = panes[0].extractor.name;
  open(DATA.datasets[event.target.value]);
  // Where a dataset has no advice, the network that is being looked at stays.
  const same = state.dataset.extractors.find((one) => one.name === name);
  if (same && !state.dataset.advised) setExtractor(panes[0], same);
  menus();
  refresh();
});
on("colouring", "change", (event) => {
  state.colour = event.target.value;
  refresh({ depths: false });
});
on("points", "change", (event) => {
  state.points = event.target.value;
  refresh({ depths: false });
});
on("drag", "change", (event) => {
  state.drag = event.target.value;
  panes.forEach((pane) => pane.over.classList.toggle("moves", state.drag === "move"));
});
on("beside", "click", () => {
  if (panes.length > 1) alone();
  else beside();
  refresh();
});
on("find", "change", (event) => find(event.target.value));
on("find", "search", (event) => { // the field's cross
  if (!event.target.value) find("");
});
on("which", "change", (event) => {
  state.which = event.target.value;
  refresh({ depths: false });
});
on("by-label", "change", (event) => {
  const { value } = event.target;
  state.label = value === "" ? null : state.dataset.classes[value];
  refresh({ depths: false });
});
on("by-cluster", "change", (event) => {
  const { value } = event.target;
  state.cluster = value === "" ? null : colouring("cluster").keys[value].name;
  refresh({ depths: false });
});
on("adding", "change", (event) => { state.adding = event.target.checked; });
on("only", "click", only);
on("clear", "click", none);
on("save", "click", () => save(`${state.dataset.name}_list.csv`, tableOf(gallery())));
on("corrections", "click", () => {
  save("corrections.csv", corrections());
  state.saved = true;
  showMarks();
});
on("mark", "click", () => {
  const right = part("right").value.trim();
  if (!marked().length) part("status").textContent = "Click a picture first, or select some.";
  else if (right) mark(marked(), right);
  else part("right").focus();
});
on("right", "keydown", (event) => { if (event.key === "Enter") part("mark").click(); });
on("unmark", "click", () => mark(marked().length ? marked() : [...state.marks.keys()]));
on("unchoose", "click", () => choose(null));
on("help", "click", () => part("helping").showModal());
on("options", "click", () => {
  const open = document.body.classList.toggle("open");
  part("options").setAttribute("aria-expanded", open);
});
on("tabs", "click", (event) => { if (event.target.dataset.tab) tab(event.target.dataset.tab); });
on("legend", "scroll", showMore);
on("gallery", "pointerover", (event) => {
  const entry = event.target.closest("li[data-image]");
  state.hover = entry ? Number(entry.dataset.image) : null;
  panes.forEach((pane) => pane.overlay());
});
on("gallery", "pointerleave", () => hover(null));

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || part("helping").open) return;
  // Menus and fields know what to do with these keys.
  if (event.target.matches("input:not([type=checkbox]), select")) return;
  const here = event.target.closest("#gallery li");
  const image = here?.dataset.image === undefined ? state.chosen : Number(here.dataset.image);
  if (here && walkGallery(event)) return event.preventDefault();
  const [pane] = panes.filter((one) => one.root.contains(event.target)).concat(panes);
  const last = pane.extractor.layers.length - 1;
  const to = { ArrowLeft: pane.depth - 1, ArrowRight: pane.depth + 1, Home: 0, End: last };
  if (event.key in to) walk(pane, to[event.key]);
  else if (event.key === "/") part("find").focus();
  else if (event.key === "Escape") {
    hover(null);
    none();
  } else if (!event.target.closest(".stage, #gallery, #near") || image === null) return;
  else if (event.key === "w") {
    if (suggested(image)) mark([image], suggested(image));
    else part("right").focus();
  } else if (event.key === "u") mark([image]);
  else return;
  event.preventDefault();
});
addEventListener("hashchange", () => { if (location.hash !== written) readAddress(); });
addEventListener("resize", () => {
  showMore();
  showNeighbours(choose);
  panes.forEach(centreDepth);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  readStyle();
  showLegend(pressKey);
});

if (matchMedia("(pointer: coarse)").matches) state.drag = "move";
readStyle();
tab("gallery");
readAddress();
