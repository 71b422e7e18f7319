// The same protocol as worker.py, in Node: node worker.mjs tfjs|module MODEL INPUT NODE_MODULES
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { load } from "../../examples/javascript/selvedge.js";

const MAX_RUNS = 2000;
const [kind, path, input, modules] = process.argv.slice(2);
const [model, data] = [readFileSync(path), readFileSync(input)];
const prepare = { tfjs, module }[kind]();

const began = performance.now();
const steps = await prepare();
const load_ms = performance.now() - began;
const first_ms = timed().reduce((a, b) => a + b);
const answer = steps.copyOut();
const bytes = new Uint8Array(answer.buffer, answer.byteOffset, answer.byteLength);
const sha256 = createHash("sha256").update(bytes).digest("hex");
const library = `${steps.library}, Node ${process.versions.node}`;
say({ load_ms, first_ms, library, sha256, runtime_bytes: steps.runtimeBytes });
for await (const line of createInterface({ input: process.stdin })) {
  const [runs, until] = [[timed()], performance.now() + Number(line)];
  while (runs.length < MAX_RUNS && performance.now() < until) runs.push(timed());
  say(runs);
}

function timed() {
  const a = performance.now();
  steps.copyIn();
  const b = performance.now();
  steps.compute();
  const c = performance.now();
  steps.copyOut();
  return [b - a, c - b, performance.now() - c];
}

function module() {
  return async () => {
    const found = await load(model);
    const values = view(found.inputs[0].data);
    return {
      library: "selvedge.js",
      runtimeBytes: 0, // the module brings its engine
      copyIn: () => found.inputs[0].data.set(values),
      compute: () => found.invoke(),
      copyOut: () => found.outputs[0].data.slice(),
    };
  };
}

/** TFLite's interpreter as wasm SIMD; its glue believes to be in a browser. */
function tfjs() {
  globalThis.window = globalThis;
  const base = `${modules}/@tensorflow/tfjs-tflite/wasm/tflite_web_api_cc_simd`;
  const factory = createRequire(import.meta.url)(`${base}.js`);
  const wasmBinary = readFileSync(`${base}.wasm`);
  const options = { numThreads: 1, enableProfiling: false, maxProfilingBufferEntries: 0 };
  return async () => {
    const made = await factory({ wasmBinary, print() {}, printErr() {} });
    const address = made._malloc(model.length);
    made.HEAPU8.set(model, address);
    const status = made.TFLiteWebModelRunner.CreateFromBufferAndOptions(address, model.length, options);
    if (!status.ok()) throw new Error(status.errorMessage());
    const runner = status.value();
    const [source, result] = [runner.GetInputs().get(0), runner.GetOutputs().get(0)];
    const values = view(source.data());
    return {
      library: "tfjs-tflite",
      runtimeBytes: wasmBinary.length,
      copyIn: () => source.data().set(values), // its memory grows: views are asked for anew
      compute: () => {
        if (runner.Infer() === false) throw new Error("it does not run");
      },
      copyOut: () => result.data().slice(),
    };
  };
}

/** The input's bytes with the type of another array. */
function view(like) {
  return new like.constructor(data.buffer.slice(data.byteOffset, data.byteOffset + data.length));
}

function say(value) {
  console.log(JSON.stringify(value));
}
