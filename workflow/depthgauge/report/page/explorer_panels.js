// The explorer, third part: what stands around the maps.

const MANY = 120; // pictures of the gallery that are shown at first, and with each "more"
const many = { shown: MANY };

function line(kind, text, name = "") {
  const element = document.createElement(kind);
  element.textContent = text;
  if (name) element.className = name;
  return element;
}

function button(...content) {
  const element = document.createElement("button");
  element.type = "button";
  element.append(...content);
  return element;
}

const item = (...content) => {
  const element = document.createElement("li");
  element.append(...content);
  return element;
};

const say = (count, one, more = `${one}s`) =>
  `${count.toLocaleString("en")} ${count === 1 ? one : more}`;
const told = (image) => label(image) || "no label";
const ofHundred = (layer) =>
  Number.isFinite(layer.accuracy) ? `${Math.round(100 * layer.accuracy)} of 100` : "";

function fill(menu, items, chosen) {
  menu.replaceChildren(...items.map(([value, text]) => {
    const option = line("option", text);
    option.value = value;
    option.selected = value === chosen;
    return option;
  }));
}

// -- depths -------------------------------------------------------------------------------

function showDepths(pane, act) {
  const { extractor, depth, layer } = pane;
  const menu = pane.root.querySelector(".extractor");
  fill(menu, state.dataset.extractors.map((one, place) => {
    const best = Math.max(...one.layers.map((each) => each.accuracy ?? -1));
    const star = state.dataset.advised?.[0] === one.name ? " ★" : "";
    const share = best >= 0 ? ` (${Math.round(100 * best)} of 100)` : "";
    return [String(place), `${one.name}${share}${star}`];
  }), String(state.dataset.extractors.indexOf(extractor)));
  const group = pane.root.querySelector(".depths");
  const focused = group.contains(document.activeElement);
  group.replaceChildren(...extractor.layers.map((one, place) => {
    const share = line("span", "", "share");
    share.style.width = `${100 * (one.accuracy ?? 0)}%`;
    const star = one.advised ? " ★" : "";
    const element = button(
      line("span", `${one.name}${star}`, "name"), line("span", ofHundred(one), "of"), share,
    );
    const words = [one.name, one.reading, ofHundred(one), one.advised ? "advised" : ""];
    element.setAttribute("aria-label", words.filter(Boolean).join(", "));
    element.title = element.getAttribute("aria-label");
    element.setAttribute("aria-pressed", place === depth);
    element.addEventListener("click", () => act(place));
    return element;
  }));
  if (focused) group.children[depth].focus();
  centreDepth(pane);
  const facts = [`${depth + 1} of ${extractor.layers.length}: ${layer.name}`, layer.reading];
  if (ofHundred(layer)) {
    facts.push(`same class for ${ofHundred(layer)} pictures`);
    const goodness = layer.mean_goodness;
    if (Number.isFinite(goodness)) facts.push(`goodness ${goodness.toFixed(3)}`);
  }
  if (layer.advised) facts.push("★ advised");
  if (state.dataset.images.length > shown()) facts.push(state.dataset.note);
  const text = pane.root.querySelector(".facts");
  text.textContent = facts.filter(Boolean).join(" · ");
  text.title = text.textContent;
  pane.over.setAttribute(
    "aria-label",
    `Map of the pictures at ${extractor.name}, ${layer.name}. Arrow keys go from picture to picture, ` +
    "Enter selects, plus and minus zoom.",
  );
}

// Scroll the depths so that the one that is shown stands in the middle.
function centreDepth({ root, depth }) {
  const group = root.querySelector(".depths");
  const [one, all] = [group.children[depth], group].map((each) => each.getBoundingClientRect());
  group.scrollLeft += one.left - all.left - (group.clientWidth - one.width) / 2;
  group.scrollTop += one.top - all.top - (group.clientHeight - one.height) / 2;
}

// What colours are by, in the words of the page, and what it is.
const TERMS = {
  label: ["class", "The class that a picture is labelled with."],
  "predicted label": ["class proposed", "The class proposed for a picture without a label."],
  cluster: ["cluster", "Groups that form by themselves at this depth, whatever the labels."],
  goodness: [
    "goodness",
    "How far away the pictures of other classes are, over how far those of its own: below 1 the " +
    "others are nearer.",
  ],
  misplaced: [
    "among another class", "Most of its five nearest neighbours at this depth have another label.",
  ],
};

function term(name) {
  const unstable = name === "cluster" && panes[0].layer.unstable;
  return `${TERMS[name][0]}${unstable ? " (not stable)" : ""}`;
}

// -- colours ------------------------------------------------------------------------------

// Of each colour the images that are listed, and how many there are in all.
function members() {
  const groups = colouring(state.colour).keys.map(() => ({ images: [], all: 0, seen: false }));
  codes(state.colour).forEach((code, image) => {
    const group = groups[code];
    group.all += 1;
    group.seen ||= state.visible[image] > 0;
    if (state.visible[image] && state.listed[image]) group.images.push(image);
  });
  return groups;
}

function showLegend(act) {
  const legend = part("legend");
  const place = [...legend.querySelectorAll("button")].indexOf(document.activeElement);
  const above = legend.scrollTop;
  const { keys } = colouring(state.colour);
  legend.replaceChildren(...members().flatMap(({ images, all, seen }, at) => {
    if (!seen) return [];
    const glyph = stamp(keys[at], 11, Math.max(2, devicePixelRatio));
    glyph.setAttribute("aria-hidden", "true");
    const name = line("span", keys[at].name, "name");
    name.title = keys[at].name;
    const share = filtered() || state.only ? [images.length, all] : [all];
    const count = share.map((one) => one.toLocaleString("en")).join(" of ");
    const element = button(glyph, name, line("span", count, "count"));
    element.disabled = !images.length;
    const pressed = images.length > 0 && images.every((image) => state.selection.has(image));
    element.setAttribute("aria-pressed", pressed);
    element.addEventListener("click", (event) => act(images, event));
    return [item(element)];
  }));
  const widths = [...legend.querySelectorAll("button")].map((one) => one.textContent.length);
  legend.classList.toggle("long", Math.max(0, ...widths) > 16);
  if (place >= 0) legend.querySelectorAll("button")[place]?.focus();
  legend.scrollTop = above;
  part("legend-title").textContent = `Colours: ${term(state.colour)} (${legend.children.length})`;
  part("colouring").title = TERMS[state.colour][1];
  showMore();
}

// Whether, and how much of, the legend lies below its edge.
function showMore() {
  const legend = part("legend");
  const edge = legend.getBoundingClientRect().bottom - 4;
  const below = [...legend.children].filter((one) => one.getBoundingClientRect().bottom > edge + 4);
  part("legend-more").textContent = legend.scrollHeight > legend.clientHeight + 4
    ? (below.length ? `↓ ${below.length} more below` : "↑ more above")
    : "";
}

// -- gallery ------------------------------------------------------------------------------

// What the gallery shows where nothing is selected; without any filter the list of the report, or
// else what lies among another class.
const listing = () =>
  state.which ||
  (filtered() ? "" : state.dataset.doubted ? "doubted" : panes[0].layer.worst ? "misplaced" : "");

// The images of which something is to be said, the worst first.
const ranked = () => (listing() === "doubted" ? [...doubted().keys()] : worst());

function gallery() {
  const seen = (images) =>
    images.filter((image) => state.visible[image] && state.listed[image]);
  const first = ranked();
  if (state.selection.size) {
    const rest = [...state.selection].sort((a, b) => a - b);
    const chosen = first.filter((image) => state.selection.has(image));
    return seen([...new Set([...chosen, ...rest])]);
  }
  const alone = ["doubted", "misplaced"].includes(listing());
  return seen(alone ? first : [...new Set([...first, ...everyone()])]);
}

function galleryTitle({ length }) {
  const count = length.toLocaleString("en");
  if (state.selection.size) return `Selected: ${count} of ${shown().toLocaleString("en")}`;
  const title = { doubted: "Label doubted", misplaced: "Among another class" }[listing()];
  if (!title) return say(length, "picture");
  const all = ranked().length;
  const of = length < all ? ` of ${all.toLocaleString("en")}` : "";
  return `${title}: ${count}${of}${length > 1 ? ", worst first" : ""}`;
}

function showGallery(act) {
  const images = gallery();
  const list = part("gallery");
  const focused = document.activeElement?.closest?.("#gallery li")?.dataset.image;
  const onMark = document.activeElement?.classList.contains("is");
  const above = list.scrollTop;
  part("gallery-title").textContent = galleryTitle(images);
  const entries = images.slice(0, many.shown).map((image) => {
    const right = state.marks.get(image);
    const other = suggested(image);
    const picture = button(thumbnail(image), line("span", told(image), "caption"));
    picture.classList.add("picture");
    picture.classList.toggle("chosen", image === state.chosen);
    picture.title = source(image);
    picture.tabIndex = -1;
    picture.setAttribute("aria-label", `${source(image)}, ${told(image)}`);
    picture.addEventListener("click", (event) => act.choose(image, event));
    const entry = item(picture);
    entry.dataset.image = image;
    if (right !== undefined || other) {
      const name = right ?? other;
      const mark = button(`relabel as ${name}`);
      mark.className = "is";
      mark.tabIndex = -1;
      mark.title = right === undefined
        ? `Correct the label: ${name} in place of ${told(image)}`
        : `Corrected: ${name} in place of ${told(image)}. Press to take it back.`;
      mark.setAttribute("aria-label", `relabel as ${name}: ${source(image)}`);
      mark.setAttribute("aria-pressed", right !== undefined);
      const next = right === undefined ? name : undefined;
      mark.addEventListener("click", () => act.mark([image], next));
      entry.append(mark);
    } else if (reason(image)) entry.append(line("span", reason(image), "reason"));
    return entry;
  });
  if (images.length > many.shown) {
    const next = Math.min(MANY, images.length - many.shown);
    const more = button(`Show ${next} more of ${images.length.toLocaleString("en")}`);
    more.addEventListener("click", () => {
      many.shown += MANY;
      showGallery(act);
    });
    const entry = item(more);
    entry.className = "all";
    entries.push(entry);
  }
  list.replaceChildren(...entries);
  list.scrollTop = above;
  // One stop for the tabulator; arrows go on from there.
  const stop =
    list.querySelector(`[data-image="${focused ?? state.chosen}"]`) ?? list.firstElementChild;
  const target = (onMark && stop?.querySelector(".is")) || stop?.querySelector(".picture");
  if (target) target.tabIndex = 0;
  if (focused !== undefined) (target ?? list).focus();
  showCounts(images);
  const none = !state.selection.size;
  part("clear").disabled = none;
  part("save").disabled = !images.length;
  part("only").disabled = !lighting() && !state.only;
  part("only").setAttribute("aria-pressed", state.only !== null);
}

function showCounts(images) {
  const counts = new Map();
  if (state.selection.size) {
    for (const image of images) counts.set(told(image), (counts.get(told(image)) ?? 0) + 1);
  }
  const sorted = [...counts].sort((a, b) => b[1] - a[1]);
  part("counts").replaceChildren(...sorted.map(([name, count]) =>
    item(`${name}: ${count.toLocaleString("en")}`)));
}

// The arrow keys of the gallery.
function walkGallery(event) {
  const pictures = [...part("gallery").querySelectorAll(".picture")];
  const entry = event.target.closest("li");
  const at = pictures.findIndex((one) => entry?.contains(one));
  if (at < 0) return false;
  const mark = entry.querySelector(".is");
  const top = pictures[0].getBoundingClientRect().top;
  const across = pictures.filter((one) => one.getBoundingClientRect().top === top).length;
  const to = {
    ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - across, ArrowDown: at + across,
    Home: 0, End: pictures.length - 1,
  }[event.key];
  if (to === undefined) return false;
  const next = pictures[to];
  if (!next) return true;
  for (const one of part("gallery").querySelectorAll(".picture, .is")) one.tabIndex = -1;
  const below = event.target === mark ? next.closest("li").querySelector(".is") ?? next : next;
  below.tabIndex = 0;
  below.focus();
  return true;
}

// -- neighbours, corrections, what is under the pointer -------------------------------------

function showNeighbours(act) {
  const image = state.chosen;
  const none = image === null;
  const { layer } = panes[0];
  part("near").hidden = none && !narrow();
  part("near-hint").hidden = !none;
  for (const name of ["jpeg", "unchoose"]) part(name).hidden = none;
  part("near-title").textContent = none
    ? "Nearest neighbours"
    : `Nearest neighbours of ${source(image)} at ${layer.name}`;
  if (!none) part("jpeg").href = jpeg(image);
  const cards = none ? [] : [{ image, distance: null }, ...neighbours(image, layer)];
  part("neighbours").replaceChildren(...cards.map(({ image: one, distance }) => {
    const alike = label(one) === label(image);
    const card = button(
      thumbnail(one),
      line("strong", told(one)),
      ...(alike ? [] : [line("em", "another class")]),
      line("span", distance === null ? "this picture" : `distance ${distance.toPrecision(4)}`),
      line("span", source(one), "file"),
    );
    card.title = source(one);
    card.disabled = one >= shown();
    card.classList.toggle("other", !alike);
    card.addEventListener("click", () => act(one));
    return item(card);
  }));
}

function showMarks() {
  const { size } = state.marks;
  const { folder, drawn } = state.dataset;
  const use = () => !folder
    ? ["The pictures were not read from a folder of yours, so no run takes it back."]
    : [
      "To run again with it, after ", line("code", "depthgauge run PHOTOS"), " type ",
      line("code", "depthgauge run PHOTOS --labels FOLDER/corrections.csv"),
      ", FOLDER being where it was saved. With a config of your own put it beside the config, and ",
      line("code", "labels: corrections.csv"), ` under ${state.dataset.name}.`,
      drawn ? " Pictures not drawn for this run are not in it, and would have no label." : "",
    ];
  part("how-to-use").replaceChildren(...use());
  part("marked").replaceChildren(...(size
    ? [`${say(size, "picture")} corrected, and kept in this browser. `,
      ...(state.saved ? use() : ["Save them, and run again."])]
    : ["Nothing is corrected. Press “relabel as …” below a picture, or select some and name their "
      + "class."]));
  const { length } = marked();
  part("really").textContent =
    length > 1 ? `These ${length.toLocaleString("en")} pictures are really:` : "This picture is really:";
  part("unmark").textContent = length || size < 2 ? "Take back" : "Take all back";
  part("unmark").disabled = !size;
  part("corrections").disabled = !size;
}

function words(image, pane = panes[0]) {
  const { layer } = pane;
  const found = [told(image)];
  const right = state.marks.get(image);
  if (right !== undefined) found.push(`corrected: ${right}`);
  if (worst(layer).includes(image)) {
    found.push(`among another class: ${nearby(image, layer) || "several"}`);
  }
  if (doubted().has(image)) {
    found.push(`label doubted: rather ${doubted().get(image)}`);
  }
  for (const { name } of [...state.dataset.colourings, ...pane.extractor.colourings]) {
    if (name === "cluster" || name === "predicted label") {
      found.push(`${TERMS[name][0]}: ${keyOf(name, image, pane).name}`);
    }
  }
  const goodness = layer.goodness && numbers(layer.goodness, Float32Array)[image];
  if (Number.isFinite(goodness)) found.push(`goodness ${goodness.toFixed(3)}`);
  return found;
}

function showTip(image, event, pane) {
  const tip = part("tip");
  tip.hidden = image === null;
  if (image === null) return;
  const [first, ...rest] = words(image, pane);
  tip.replaceChildren(
    thumbnail(image), line("strong", first), line("span", source(image)),
    ...rest.map((text) => line("span", text)),
  );
  const { width, height } = tip.getBoundingClientRect();
  const right = event.clientX + 14 + width < innerWidth;
  const below = event.clientY + 14 + height < innerHeight;
  tip.style.left = `${Math.max(0, right ? event.clientX + 14 : event.clientX - 14 - width)}px`;
  tip.style.top = `${Math.max(0, below ? event.clientY + 14 : event.clientY - 14 - height)}px`;
}

const narrow = () => matchMedia("(max-width: 52rem), (max-height: 34rem)").matches;
