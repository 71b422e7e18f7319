// node node.mjs MODEL.wasm INPUT.npy|INPUT.bin... [--output FILE]
// Prints the outputs as one JSON object; with --output their bytes go there, one after the other.
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { load } from "./selvedge.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { output: { type: "string" } },
});
const [path, ...files] = positionals;
if (!path) fail("node node.mjs MODEL.wasm INPUT.npy|INPUT.bin... [--output FILE]");

try {
  const model = await load(readFileSync(path));
  if (files.length !== model.inputs.length) {
    throw new Error(`one file for each input is wanted: ${model.inputs.map(format).join(", ")}`);
  }
  const inputs = files.map((file, i) => read(file, model.inputs[i]));
  const began = performance.now();
  const results = model.run(...inputs);
  const latency_ms = performance.now() - began;
  if (values.output) writeFileSync(values.output, Buffer.concat(results.map(bytes)));
  const outputs = model.outputs.map(({ name, dtype, shape }, i) => ({ name, dtype, shape, values: [...results[i]] }));
  console.log(JSON.stringify({ outputs, latency_ms }));
} catch (error) {
  fail(error.message);
}

/** The values of a file as bytes; an .npy must have the input's type. */
function read(file, input) {
  const data = readFileSync(file);
  if (!file.endsWith(".npy")) return data;
  if (data.toString("latin1", 0, 6) !== "\x93NUMPY") throw new Error(`${file}: no .npy file`);
  const [start, size] = data[6] === 1 ? [10, data.readUInt16LE(8)] : [12, data.readUInt32LE(8)];
  const header = data.toString("latin1", start, start + size);
  const code = { int8: "|i1", uint8: "|u1", int16: "<i2", int32: "<i4", float32: "<f4" }[input.dtype];
  if (!header.includes(`'${code}'`) || !header.includes("'fortran_order': False")) {
    throw new Error(`${file}: ${format(input)} is wanted, in C order; found ${header.trim()}`);
  }
  return data.subarray(start + size);
}

function format({ name, dtype, shape }) {
  return `${name} ${dtype} [${shape}]`;
}

function bytes({ buffer, byteOffset, byteLength }) {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function fail(line) {
  console.error(line);
  process.exit(2);
}
