// The explorer, second part: a map on two canvases, of the points and of what lies over them.
//
// Points, and many small pictures, are copied pixel by pixel into a buffer: 10,000 of them cost a
// few milliseconds, with or without a graphics card. Few and large pictures the browser draws.

const MOVE = 600; // milliseconds from one depth to the next
const FAINT = 0.3; // how much is left of the colours of what is not listed, or not selected
const SIDES = [14, 20, 28, 40, 56, 80, 96]; // of pictures, in pixels of the page
const FEW = 500; // pictures that the browser draws
// How far a name may stand from the middle of what it names, in pixels: the nearest places first.
const SHIFTS = [[0, 0]];
for (let far = 15; far <= 150; far += 15) {
  for (const [x, y] of [[0, -1], [0, 1], [-1, 0], [1, 0], [-1, -1], [1, -1], [-1, 1], [1, 1]]) {
    SHIFTS.push([2 * far * x, far * y]);
  }
}
const CLOSE = 4; // pixels between a press and its release that are no drag

// The colours of the page, which change with its scheme alone, see readStyle.
const COLOURS = {};
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// -- symbols ------------------------------------------------------------------------------

const turned = (corners, angle) =>
  corners.map(([x, y]) => [
    x * Math.cos(angle) - y * Math.sin(angle), x * Math.sin(angle) + y * Math.cos(angle),
  ]);
const around = (count, first, radius = () => 1) =>
  Array.from({ length: count }, (_, i) => {
    const angle = first + (2 * Math.PI * i) / count;
    return [radius(i) * Math.cos(angle), radius(i) * Math.sin(angle)];
  });
const T = 0.38;
const PLUS = [
  ...[[-T, -1], [T, -1], [T, -T], [1, -T], [1, T], [T, T]],
  ...[[T, 1], [-T, 1], [-T, T], [-1, T], [-1, -T], [-T, -T]],
];
const CORNERS = { // of matplotlib's markers, within a circle of radius 1
  "^": around(3, -Math.PI / 2), v: around(3, Math.PI / 2),
  "<": around(3, Math.PI), ">": around(3, 0),
  s: around(4, Math.PI / 4), D: around(4, 0),
  P: PLUS, X: turned(PLUS, Math.PI / 4),
  "*": around(10, -Math.PI / 2, (i) => (i % 2 ? 0.45 : 1)),
};

function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function luminance(hex) {
  const [r, g, b] = rgb(hex).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

const contrast = (a, b) => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};

// A colour with which a shape of `colour` stands out from the ground (3 to 1, as WCAG asks).
function edge(colour, ground, ink) {
  for (let share = 0; share <= 1; share += 0.05) {
    const mixed = rgb(colour).map((value, i) => Math.round(value + share * (rgb(ink)[i] - value)));
    const hex = `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
    if (contrast(hex, ground) >= 3) return hex;
  }
  return ink;
}

// A picture of a key's symbol, `size` pixels wide, drawn once and then only copied.
function stamp(key, size, scale = devicePixelRatio, ring = false) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.ceil((size + (ring ? 8 : 2)) * scale);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const [ground, ink] = [style("--ground"), style("--ink")];
  // Black and its like turn white on a dark ground.
  const colour = luminance(ground) < 0.2 && luminance(key.colour) < 0.05 ? "#ffffff" : key.colour;
  const centre = canvas.width / 2;
  const large = { "*": 1.3, D: 1.15, P: 1.15, X: 1.15, "^": 1.15, v: 1.15, "<": 1.15, ">": 1.15 };
  const radius = Math.min(centre, (size / 2) * scale * (large[key.symbol] ?? 1)) - 0.5 * scale;
  context.beginPath();
  if (CORNERS[key.symbol]) {
    for (const [x, y] of CORNERS[key.symbol]) {
      context.lineTo(centre + radius * x, centre + radius * y);
    }
    context.closePath();
  } else {
    context.arc(centre, centre, radius, 0, 2 * Math.PI);
  }
  context.lineWidth = scale * (key.symbol === "ring" ? 1.4 : 1);
  context.strokeStyle = edge(colour, ground, ink);
  if (key.symbol !== "ring") {
    context.fillStyle = colour;
    context.fill();
  }
  context.stroke();
  if (ring) {
    context.beginPath();
    context.arc(centre, centre, (size / 2 + 2.5) * scale, 0, 2 * Math.PI);
    context.lineWidth = 1.5 * scale;
    context.strokeStyle = ink;
    context.stroke();
  }
  return canvas;
}

// The pixels of a stamp: from its centre across and down, the colour, and how much of it.
function dabs(canvas, faint) {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const ground = rgb(COLOURS.ground);
  const made = { across: [], down: [], colour: [], cover: [], reach: Math.ceil(width / 2) };
  for (let at = 0; at < width * height; at++) {
    const cover = data[4 * at + 3];
    if (cover < 8) continue;
    made.across.push((at % width) - (width >> 1));
    made.down.push(Math.floor(at / width) - (height >> 1));
    made.colour.push([0, 1, 2].map((i) =>
      Math.round(faint * data[4 * at + i] + (1 - faint) * ground[i])));
    made.cover.push(cover);
  }
  made.colour = Uint32Array.from(made.colour, packed);
  for (const name of ["across", "down", "cover"]) made[name] = Int32Array.from(made[name]);
  return made;
}

const packed = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

// Called 10,000 times a frame: plain arithmetic, and no array is made.
function dab(target, width, height, made, x, y) {
  const { across, down, colour, cover, reach } = made;
  const whole = x >= reach && y >= reach && x < width - reach && y < height - reach;
  for (let i = 0; i < cover.length; i++) {
    const left = x + across[i];
    const top = y + down[i];
    if (!whole && (left < 0 || top < 0 || left >= width || top >= height)) continue;
    const at = top * width + left;
    const share = cover[i];
    const over = colour[i];
    if (share > 250) {
      target[at] = over;
      continue;
    }
    const under = target[at];
    const rest = 255 - share;
    target[at] = 0xff000000
      | ((((over >>> 16) & 255) * share + ((under >>> 16) & 255) * rest) / 255) << 16
      | ((((over >>> 8) & 255) * share + ((under >>> 8) & 255) * rest) / 255) << 8
      | (((over & 255) * share + (under & 255) * rest) / 255);
  }
}

// -- the map ------------------------------------------------------------------------------

// One window for all depths of a network, so that only the images move.
function extent(extractor) {
  extractor.window ??= [0, 1].map((axis) => {
    let [low, high] = [Infinity, -Infinity];
    for (const { xy } of extractor.layers) {
      const all = numbers(xy, Float32Array);
      for (let i = axis * shown(); i < (axis + 1) * shown(); i++) {
        low = Math.min(low, all[i]);
        high = Math.max(high, all[i]);
      }
    }
    return [(low + high) / 2, Math.max(high - low, 1e-6)];
  });
  const [[x, width], [y, height]] = extractor.window;
  return { centre: { x, y }, span: [width, height] };
}

class Pane {
  constructor(read) {
    const root = part("pane").content.cloneNode(true).firstElementChild;
    this.root = root;
    this.read = read; // what is done by a reader: { choose, select, hover, extractor, ... }
    [this.dots, this.over] = root.querySelectorAll("canvas");
    this.stage = root.querySelector(".stage");
    this.extractor = null;
    this.depth = 0;
    this.x = this.y = null; // where the images are, on the way from one depth to the next too
    this.moving = 0;
    this.view = null; // what is in the middle, and how large
    this.stamps = new Map();
    this.pressed = new Map(); // pointer -> where it was last
    this.drawn = null; // the line of a lasso or box
    new ResizeObserver(() => this.resize()).observe(this.stage);
    this.listen();
  }

  get layer() {
    return this.extractor.layers[this.depth];
  }

  // Show a depth; images walk there from where they are if they are the same network's.
  show(extractor, depth) {
    const walks = this.x !== null && this.extractor === extractor && !calm();
    if (this.extractor !== extractor) this.view = null;
    this.extractor = extractor;
    this.view ??= { ...extent(extractor).centre, zoom: 1 };
    this.depth = depth;
    const xy = numbers(this.layer.xy, Float32Array);
    const to = [xy.subarray(0, shown()), xy.subarray(shown())];
    const turn = ++this.moving;
    if (!walks) {
      [this.x, this.y] = to;
      this.root.dataset.moving = false;
      return this.draw();
    }
    const from = [this.x, this.y];
    const start = performance.now();
    this.root.dataset.moving = true;
    const step = (now) => {
      if (turn !== this.moving) return; // another depth was chosen meanwhile
      const passed = Math.min(1, Math.max(0, (now - start) / MOVE));
      const eased = passed * passed * (3 - 2 * passed);
      const between = (ends, begins) =>
        ends.map((end, image) => begins[image] + eased * (end - begins[image]));
      [this.x, this.y] = passed < 1 ? to.map((ends, axis) => between(ends, from[axis])) : to;
      this.root.dataset.moving = passed < 1;
      this.paint();
      if (passed < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    this.width = width;
    this.height = height;
    for (const canvas of [this.dots, this.over]) {
      canvas.width = Math.max(1, Math.round(width * devicePixelRatio));
      canvas.height = Math.max(1, Math.round(height * devicePixelRatio));
    }
    this.buffer = new ImageData(this.dots.width, this.dots.height);
    this.pixels = new Uint32Array(this.buffer.data.buffer);
    if (this.x) this.paint();
  }

  // Pixels of a unit of the map, the same along both axes: circles stay circles.
  get scale() {
    const [x, y] = extent(this.extractor).span;
    return this.view.zoom * Math.min((this.width - 40) / x, (this.height - 40) / y);
  }

  place(image) {
    return [
      this.width / 2 + (this.x[image] - this.view.x) * this.scale,
      this.height / 2 - (this.y[image] - this.view.y) * this.scale,
    ];
  }

  size() {
    const size = Math.min(11, Math.max(4, 260 / Math.sqrt(shown())));
    return Math.round(2 * size * Math.min(2, Math.max(1, this.view.zoom) ** 0.35)) / 2;
  }

  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => this.paint());
  }

  stampsOf(keys) {
    const size = this.size();
    const made = this.stamps.get(keys);
    if (made?.size === size && made.scale === devicePixelRatio) return made.all;
    const all = keys.map((key) => {
      const canvas = stamp(key, size);
      const ringed = dabs(stamp(key, size, devicePixelRatio, true), 1);
      return { canvas, full: dabs(canvas, 1), faint: dabs(canvas, FAINT), ringed };
    });
    this.stamps.set(keys, { size, scale: devicePixelRatio, all });
    return all;
  }

  // All pictures as small as they are on the map, to be copied; null while they are being read.
  small(side) {
    const kept = this.smallKept;
    if (kept?.side === side && kept.dataset === state.dataset) return kept;
    const across = DATA.columns;
    const pictures = state.dataset.sheets.map((_, place) =>
      drawable(sheet(place), () => this.draw()));
    if (pictures.some((picture) => !picture)) return null;
    const ground = rgb(COLOURS.ground);
    const full = pictures.map((picture) => {
      const canvas = document.createElement("canvas");
      canvas.width = across * side;
      canvas.height = (picture.naturalHeight / DATA.tile) * side;
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(picture, 0, 0, canvas.width, canvas.height);
      return new Uint32Array(
        context.getImageData(0, 0, canvas.width, canvas.height).data.buffer,
      );
    });
    const faint = full.map((pixels) => pixels.map((one) =>
      packed([0, 8, 16].map((shift, i) =>
        Math.round(FAINT * ((one >>> shift) & 255) + (1 - FAINT) * ground[i])))));
    this.smallKept = { side, dataset: state.dataset, full, faint };
    return this.smallKept;
  }

  copy(small, image, chosen, x, y, colour) {
    const { pixels: target, buffer: { width, height } } = this;
    const { side } = small;
    const across = DATA.columns;
    const place = image % (across * across);
    const from = small[chosen === false ? "faint" : "full"][Math.floor(image / (across * across))];
    const first = Math.floor(place / across) * side * across * side + (place % across) * side;
    const [left, top] = [x - (side >> 1), y - (side >> 1)];
    const [begin, end] = [Math.max(0, left), Math.min(width, left + side)];
    const [edge, other] = [Math.max(0, left - 1), Math.min(width, left + side + 1)];
    for (let row = Math.max(-1, -top); row <= Math.min(side, height - 1 - top); row++) {
      const line = (top + row) * width;
      if (row < 0 || row === side) {
        for (let at = edge; at < other; at++) target[line + at] = colour;
        continue;
      }
      if (edge < begin) target[line + edge] = colour;
      if (other > end) target[line + other - 1] = colour;
      const shift = first + row * across * side - left;
      for (let at = begin; at < end; at++) target[line + at] = from[shift + at];
    }
  }

  paint() {
    this.waiting = false;
    if (!this.width || !this.height) return;
    const context = this.dots.getContext("2d", { willReadFrequently: true });
    const ratio = devicePixelRatio;
    const { x, y, width, height, scale } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.dots.width, this.dots.height);
    const seen = state.visible;
    const [left, top] = [width / 2 - this.view.x * scale, height / 2 + this.view.y * scale];
    const inside = [];
    for (let image = 0; image < x.length; image++) {
      if (!seen[image]) continue;
      const [at, below] = [left + x[image] * scale, top - y[image] * scale];
      if (at > -48 && at < width + 48 && below > -48 && below < height + 48) inside.push(image);
    }
    const rings = filtered();
    const keys = colouring(state.colour, this).keys;
    const all = codes(state.colour, this);
    const stamps = this.stampsOf(keys);
    this.picture = this.pictureSide(inside.length);
    const drawn = this.picture && inside.length <= FEW;
    const small = this.picture && !drawn && this.small(Math.round(this.picture * ratio));
    const [wide, high] = [this.buffer.width, this.buffer.height];
    if (!drawn) this.pixels.fill(packed(rgb(COLOURS.ground)));
    const ink = packed(rgb(COLOURS.ink));
    // What is listed, or selected, lies above the rest.
    for (const chosen of lighting() ? [false, true] : [null]) {
      const ringed = chosen && rings;
      context.globalAlpha = chosen === false ? FAINT : 1;
      for (const image of inside) {
        if (chosen !== null && Boolean(lit(image)) !== chosen) continue;
        const at = Math.round((left + x[image] * scale) * ratio);
        const below = Math.round((top - y[image] * scale) * ratio);
        const one = stamps[all[image]];
        const dots = chosen === false ? one.faint : ringed ? one.ringed : one.full;
        if (drawn) this.paste(context, image, at, below, keys[all[image]], one, ringed);
        else if (small) this.copy(small, image, chosen, at, below, ringed ? ink : dots.colour[0]);
        else dab(this.pixels, wide, high, dots, at, below);
      }
    }
    context.globalAlpha = 1;
    if (!drawn) context.putImageData(this.buffer, 0, 0);
    this.inside = inside;
    this.nameGroups(context, keys, all, left, top);
    this.overlay();
  }

  // How large pictures are in place of dots: 0 where there are dots.
  pictureSide(count) {
    if (state.points === "dots") return 0;
    const room = Math.sqrt((0.5 * this.width * this.height) / Math.max(1, count));
    if (state.points === "near" && (this.view.zoom < 2 || room < 30)) return 0;
    return SIDES.findLast((side) => side <= room) ?? SIDES[0];
  }

  paste(context, image, at, below, key, { canvas }, ringed) {
    const { at: from, left, top } = tile(image);
    const picture = drawable(from, () => this.draw());
    if (!picture) {
      context.drawImage(canvas, at - (canvas.width >> 1), below - (canvas.height >> 1));
      return;
    }
    const side = Math.round(this.picture * devicePixelRatio);
    const line = Math.max(1, Math.round(side / 20));
    const [begin, above] = [Math.round(at - side / 2), Math.round(below - side / 2)];
    if (ringed) {
      context.fillStyle = COLOURS.ink;
      context.fillRect(begin - 2 * line, above - 2 * line, side + 4 * line, side + 4 * line);
    }
    context.fillStyle = key.symbol === "ring" ? COLOURS.line : key.colour;
    context.fillRect(begin - line, above - line, side + 2 * line, side + 2 * line);
    context.drawImage(picture, left, top, DATA.tile, DATA.tile, begin, above, side, side);
  }

  // Where most of each label or cluster lie, [x, y] or null.
  middles(keys, all) {
    const { x, kept } = this;
    const { visible } = state;
    if (kept?.x === x && kept.visible === visible && kept.all === all) return kept.found;
    // The middle of those in the fullest square of a grid, for a group may lie in two places.
    const side = Math.max(...extent(this.extractor).span) / 8;
    const squares = keys.map(() => new Map());
    all.forEach((code, image) => {
      if (!visible[image]) return;
      const at = 1000 * Math.floor(x[image] / side) + Math.floor(this.y[image] / side);
      const sums = squares[code].get(at) ?? [0, 0, 0];
      squares[code].set(at, sums);
      sums[0] += 1;
      sums[1] += x[image];
      sums[2] += this.y[image];
    });
    const found = squares.map((ofGroup) => {
      const [count, sum, other] = [...ofGroup.values()].sort((a, b) => b[0] - a[0])[0] ?? [0];
      return count ? [sum / count, other / count] : null;
    });
    this.kept = { x, visible, all, found };
    return found;
  }

  nameGroups(context, keys, all, left, top) {
    if (!["label", "cluster", "predicted label"].includes(state.colour) || keys.length > 31) return;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.font = "600 12px system-ui, 'DejaVu Sans', sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 4;
    context.lineJoin = "round";
    const moving = this.root.dataset.moving === "true";
    const dots = lighting() && !moving ? this.inside.filter(lit) : [];
    const free = dots.length <= FEW ? dots.map((image) => this.place(image)) : [];
    this.named = []; // where names stand
    this.middles(keys, all).forEach((found, place) => {
      if (!found || keys[place].symbol === "ring") return;
      const middle = [left + found[0] * this.scale, top - found[1] * this.scale];
      if (Math.min(...middle) < 0 || middle[0] > this.width || middle[1] > this.height) return;
      const { name } = keys[place];
      const text = name.length > 24 ? `${name.slice(0, 8)}…${name.slice(-15)}` : name;
      const half = context.measureText(text).width / 2 + 2;
      const box = this.room(middle, half, free, moving ? SHIFTS.slice(0, 1) : SHIFTS);
      this.named.push(box);
      const { at, below } = box;
      context.strokeStyle = COLOURS.ground;
      context.globalAlpha = 0.85;
      context.strokeText(text, at, below);
      context.globalAlpha = 1;
      context.fillStyle = COLOURS.ink;
      context.fillText(text, at, below);
    });
  }

  // Where a name may stand: on the map, on no image that stands out, on no other name; and near.
  room([x, y], half, dots, shifts) {
    const within = (value, margin, size) => Math.max(margin, Math.min(size - margin, value));
    const reach = (this.picture || this.size()) / 2 + 4;
    let [best, least] = [null, Infinity];
    for (const [across, down] of shifts) {
      const at = within(x + across, half, this.width);
      const below = within(y + down, 9, this.height);
      const covered = dots.filter(([left, top]) =>
        Math.abs(left - at) < half + reach && Math.abs(top - below) < 8 + reach).length;
      const names = this.named.filter((other) =>
        Math.abs(other.at - at) < half + other.half && Math.abs(other.below - below) < 15).length;
      if (covered + names < least) [best, least] = [{ at, below, half }, covered + names];
      if (!least) break;
    }
    return best;
  }

  overlay() {
    const context = this.over.getContext("2d");
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    const around = (image, more, colour, width) => {
      if (image === null || image >= shown() || !state.visible[image]) return;
      const [at, below] = this.place(image);
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      if (this.picture) {
        const side = this.picture + 2 + more / 2;
        context.rect(at - side / 2, below - side / 2, side, side);
      } else {
        context.arc(at, below, (this.size() + more) / 2, 0, 2 * Math.PI);
      }
      context.stroke();
    };
    for (const image of state.marks.keys()) around(image, 4, COLOURS.orange, 2.5);
    if (state.chosen !== null) {
      const near = neighbours(state.chosen, this.layer);
      for (const { image } of near) around(image, 7, COLOURS.red, 2);
      around(state.chosen, 14, COLOURS.red, 2.5);
    }
    around(state.hover, 10, COLOURS.ink, 2);
    if (this.drawn?.length > 1) {
      context.beginPath();
      for (const [x, y] of this.outline()) context.lineTo(x, y);
      context.closePath();
      context.strokeStyle = COLOURS.ink;
      context.lineWidth = 1.5;
      context.setLineDash([5, 4]);
      context.stroke();
      context.setLineDash([]);
    }
  }

  outline() {
    if (state.drag !== "box") return this.drawn;
    const [[a, b], [c, d]] = [this.drawn[0], this.drawn.at(-1)];
    return [[a, b], [c, b], [c, d], [a, d]];
  }

  within() {
    const corners = this.outline();
    return this.inside.filter((image) => {
      if (!state.listed[image]) return false;
      const [x, y] = this.place(image);
      let odd = false;
      corners.forEach(([ax, ay], i) => {
        const [bx, by] = corners.at(i - 1);
        if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
      });
      return odd;
    });
  }

  // The image at a place of the map, or null.
  at(x, y) {
    let nearest = null;
    let least = (this.picture ? this.picture / 2 : Math.max(8, this.size() / 2 + 3)) ** 2;
    for (const image of this.inside) {
      const [left, top] = this.place(image);
      const apart = (left - x) ** 2 + (top - y) ** 2;
      if (apart <= least) [nearest, least] = [image, apart];
    }
    return nearest;
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const { scale, view } = this;
    view.zoom = Math.min(400, Math.max(0.5, view.zoom * factor));
    // What was under the pointer stays there.
    view.x += (x - this.width / 2) * (1 / scale - 1 / this.scale);
    view.y -= (y - this.height / 2) * (1 / scale - 1 / this.scale);
    this.draw();
  }

  pan(x, y) {
    this.view.x -= x / this.scale;
    this.view.y += y / this.scale;
    this.draw();
  }

  whole() {
    this.view = { ...extent(this.extractor).centre, zoom: 1 };
    this.draw();
  }

  listen() {
    const { over } = this;
    const where = (event) => {
      const box = over.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    over.addEventListener("pointerdown", (event) => {
      over.setPointerCapture(event.pointerId);
      this.pressed.set(event.pointerId, where(event));
      this.far = 0;
      this.moves = state.drag === "move" || event.button === 1;
      this.drawn = this.moves || this.pressed.size > 1 ? null : [where(event)];
      this.read.hover(null);
      if (event.button === 1) event.preventDefault();
    });
    over.addEventListener("pointermove", (event) => {
      const [x, y] = where(event);
      if (!this.pressed.has(event.pointerId)) {
        if (event.pointerType !== "touch") this.read.hover(this.at(x, y), event, this);
        return;
      }
      const [from, below] = this.pressed.get(event.pointerId);
      this.far += Math.hypot(x - from, y - below);
      if (this.pressed.size > 1) {
        this.drawn = null;
        const others = [...this.pressed].filter(([id]) => id !== event.pointerId);
        const [ox, oy] = others[0][1];
        this.pan((x - from) / 2, (y - below) / 2);
        const apart = Math.max(20, Math.hypot(from - ox, below - oy));
        this.zoom(Math.max(20, Math.hypot(x - ox, y - oy)) / apart, (x + ox) / 2, (y + oy) / 2);
      } else if (this.moves) {
        this.pan(x - from, y - below);
      } else if (this.drawn) {
        this.drawn.push([x, y]);
        this.overlay();
      }
      this.pressed.set(event.pointerId, [x, y]);
    });
    const release = (event) => {
      if (!this.pressed.delete(event.pointerId) || this.pressed.size) return;
      const { drawn } = this;
      if (event.type === "pointercancel") {
        this.drawn = null;
      } else if (this.far <= CLOSE) {
        this.drawn = null;
        const image = this.at(...where(event));
        const adds = event.shiftKey || state.adding;
        if (adds && image !== null) this.read.toggle([image]);
        else this.read.choose(image);
      } else if (drawn) {
        const found = this.within();
        this.drawn = null;
        if (found.length) this.read.select(found, event.altKey ? "less" : event.shiftKey && "more");
      }
      this.overlay();
    };
    over.addEventListener("pointerup", release);
    over.addEventListener("pointercancel", release);
    over.addEventListener("pointerleave", () => this.read.hover(null));
    over.addEventListener("dblclick", () => this.whole());
    this.root.querySelector(".whole").addEventListener("click", () => this.whole());
    over.addEventListener("wheel", (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 30 : 1;
      this.zoom(Math.exp(-event.deltaY * lines * 0.0015), ...where(event));
    }, { passive: false });
    over.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const ways = {
        ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
      };
      if (event.key in ways) this.step(ways[event.key]);
      else if (event.key === "+" || event.key === "=") this.zoom(1.4);
      else if (event.key === "-") this.zoom(1 / 1.4);
      else if (event.key === "0") this.whole();
      else if ((event.key === "Enter" || event.key === " ") && state.chosen !== null) {
        this.read.toggle([state.chosen]);
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  // From the chosen image to the nearest one in a direction.
  step([dx, dy]) {
    const from = state.chosen;
    const [x, y] = from === null ? [this.width / 2, this.height / 2] : this.place(from);
    let [best, least] = [null, Infinity];
    for (let image = 0; image < shown(); image++) {
      if (!state.visible[image] || image === from) continue;
      const [left, top] = this.place(image);
      const [ahead, aside] = [(left - x) * dx + (top - y) * dy, (left - x) * dy - (top - y) * dx];
      if (from !== null && (ahead <= 0 || Math.abs(aside) > ahead)) continue;
      const apart = Math.hypot(ahead, 2 * aside);
      if (apart < least) [best, least] = [image, apart];
    }
    if (best === null) return;
    const [left, top] = this.place(best);
    if (left < 0 || top < 0 || left > this.width || top > this.height) {
      this.pan(this.width / 2 - left, this.height / 2 - top);
    }
    this.read.choose(best);
  }
}

function readStyle() {
  for (const name of ["ground", "ink", "red", "orange", "line"]) COLOURS[name] = style(`--${name}`);
  for (const pane of panes) {
    pane.stamps.clear();
    pane.smallKept = null;
    pane.draw();
  }
}
