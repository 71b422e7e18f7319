// The page: a module is chosen, a digit is drawn, the scores are shown. Nothing leaves the browser.
import { load } from "./selvedge.js";

const CELLS = 8;
const FINE = 32; // digits of the training set were 32×32 bitmaps, counted in blocks of 4×4
const PEN = 24;
const TIMED_MS = 10;
const SHOWN = 10;

const [status, pad, seen] = ["status", "pad", "seen"].map((id) => document.getElementById(id));
const ink = pad.getContext("2d", { willReadFrequently: true });
let model;

const found = await fetch("model.wasm").catch(() => undefined);
if (found?.ok) await open(await found.arrayBuffer(), "model.wasm");
else say("There is no model.wasm here yet: choose a module, or make one as the README says.");

async function open(bytes, name) {
  try {
    model = await load(bytes);
  } catch (error) {
    say(`${name} cannot be used: ${error.message}`);
    return;
  }
  say(`${name}, ${(bytes.byteLength / 1000).toFixed(1)} kB`);
  const rows = [...model.inputs.map((one) => ["input", one]), ...model.outputs.map((one) => ["output", one])];
  document.querySelector("#tensors tbody").replaceChildren(
    ...rows.map(([kind, one]) => row(kind, one.name, one.dtype, one.shape.join(" × "))),
  );
  const digits = model.inputs.length === 1 && String(model.inputs[0].shape) === `1,${CELLS},${CELLS},1`;
  document.getElementById("tensors").hidden = false;
  document.getElementById("results").hidden = false;
  document.getElementById("drawing").hidden = !digits;
  if (digits) clear();
  else show(model.inputs.map(noise), "on random input");
}

/** Run, show the highest scores, and how long it takes. */
function show(inputs, where) {
  const [{ scale, zeroPoint }, values] = [model.outputs[0], model.run(...inputs)[0]];
  const scores = [...values].map((value, i) => [i, scale ? (value - zeroPoint) * scale : value]);
  const best = [...scores].sort((a, b) => b[1] - a[1]).slice(0, SHOWN);
  document.getElementById("answer").value = best[0][0];
  document.querySelector("#scores tbody").replaceChildren(
    ...best.sort((a, b) => a[0] - b[0]).map(([i, score]) => {
      const bar = Object.assign(document.createElement("span"), { className: "bar" });
      bar.style.setProperty("--share", `${100 * Math.min(1, Math.max(0, score))}%`);
      return row(i, bar, Math.abs(score) <= 1 ? `${(100 * score).toFixed(1)} %` : score.toFixed(2));
    }),
  );
  const text = `${milliseconds(inputs).toFixed(3)} ms for one answer ${where}`;
  document.getElementById("latency").textContent = text;
}

/** The mean of many runs, since a browser's clock is coarse. */
function milliseconds(inputs) {
  const began = performance.now();
  let runs = 0;
  do model.run(...inputs);
  while (++runs && performance.now() - began < TIMED_MS);
  return (performance.now() - began) / runs;
}

/** The drawing as the model's input: cut out, centred, 32×32, then the share of ink in each block. */
function picture() {
  const [left, top, right, bottom] = extent();
  const size = Math.max(right - left, bottom - top, PEN);
  const fine = new OffscreenCanvas(FINE, FINE).getContext("2d");
  const [x, y] = [(left + right - size) / 2, (top + bottom - size) / 2];
  fine.imageSmoothingQuality = "high";
  fine.drawImage(pad, x, y, size, size, 0, 0, FINE, FINE);
  const { data } = fine.getImageData(0, 0, FINE, FINE);
  const shares = new Float32Array(CELLS * CELLS);
  const block = FINE / CELLS;
  for (let i = 0; i < FINE * FINE; i++) {
    const cell = Math.floor(i / FINE / block) * CELLS + Math.floor((i % FINE) / block);
    shares[cell] += data[4 * i + 3] / 255 / block ** 2;
  }
  return shares;
}

/** Left, top, right and bottom of the ink. */
function extent() {
  const { width, height } = pad;
  const { data } = ink.getImageData(0, 0, width, height);
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let i = 0; i < width * height; i++) {
    if (!data[4 * i + 3]) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    [left, top] = [Math.min(left, x), Math.min(top, y)];
    [right, bottom] = [Math.max(right, x + 1), Math.max(bottom, y + 1)];
  }
  return [left, top, right, bottom];
}

function classify() {
  const shares = picture();
  const shown = seen.getContext("2d");
  shares.forEach((share, i) => {
    shown.fillStyle = `rgb(${Array(3).fill(255 * (1 - share))})`;
    shown.fillRect(i % CELLS, Math.floor(i / CELLS), 1, 1);
  });
  const { data, scale, zeroPoint } = model.inputs[0];
  show([data.constructor.from(shares, (share) => Math.round(share / scale) + zeroPoint)], "in this browser");
}

function clear() {
  ink.clearRect(0, 0, pad.width, pad.height);
  seen.getContext("2d").clearRect(0, 0, CELLS, CELLS);
  document.getElementById("answer").value = "–";
  document.querySelector("#scores tbody").replaceChildren();
  document.getElementById("latency").textContent = "Draw, and the answer follows every stroke.";
}

function stroke(event) {
  if (event.type === "pointerdown") {
    pad.setPointerCapture(event.pointerId);
    ink.beginPath();
  } else if (!pad.hasPointerCapture(event.pointerId)) return;
  const { left, top, width } = pad.getBoundingClientRect();
  const ratio = pad.width / width;
  Object.assign(ink, { lineWidth: PEN, lineCap: "round", lineJoin: "round" });
  ink.lineTo((event.clientX - left) * ratio, (event.clientY - top) * ratio);
  ink.stroke();
  classify();
}

function noise({ data, dtype }) {
  if (dtype === "float32") return Float32Array.from(data, () => 2 * Math.random() - 1);
  return data.constructor.from(data, () => Math.random() * 2 ** 32);
}

function row(...cells) {
  const made = document.createElement("tr");
  made.append(...cells.map((cell, i) => {
    const one = document.createElement(i ? "td" : "th");
    one.append(cell);
    return one;
  }));
  return made;
}

function say(text) {
  status.textContent = text;
}

const box = document.getElementById("file");
const chosen = async ([file]) => file && open(await file.arrayBuffer(), file.name);
document.getElementById("chooser").addEventListener("change", ({ target }) => chosen(target.files));
document.getElementById("clear").addEventListener("click", clear);
for (const type of ["pointerdown", "pointermove"]) pad.addEventListener(type, stroke);
for (const type of ["dragover", "dragleave", "drop"]) {
  box.addEventListener(type, (event) => {
    event.preventDefault();
    box.classList.toggle("over", type === "dragover");
    if (type === "drop") chosen(event.dataTransfer.files);
  });
}
