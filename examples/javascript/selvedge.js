// Runs what `selvedge convert` makes, wherever there is WebAssembly; see docs/reference/module.md.
const TYPES = { 0: Float32Array, 2: Int32Array, 7: Int16Array, 9: Int8Array };
const bytes = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** Instantiate a model from its bytes, or from a WebAssembly.Module where the host compiles. */
export async function load(source) {
  const made = await WebAssembly.instantiate(source, {});
  return new Model((made.instance ?? made).exports);
}

/** Tensors stand in `inputs` and `outputs`: name, dtype, shape, scale, zeroPoint, flipped, data. */
export class Model {
  constructor(exports) {
    if (exports.sv_abi?.() !== 1) throw new Error("not a Selvedge module of interface 1");
    this.exports = exports;
    const table = exports.sv_describe() || this.invoke(); // which says why there is none
    const { buffer } = exports.memory; // it never grows, so views stay valid
    const [, , records, operands, count, total, names] = new Uint32Array(buffer, table, 7);
    const numbers = [...new Uint16Array(buffer, operands, count + total)];
    const at = (number, address) => tensor(buffer, records + 48 * number, names, address);
    this.inputs = numbers.slice(0, count).map((one, i) => at(one, exports.sv_input(i)));
    this.outputs = numbers.slice(count).map((one, i) => at(one, exports.sv_output(i)));
  }

  /** Takes a typed array, or raw bytes, for each input; returns new typed arrays, the outputs. */
  run(...values) {
    this.inputs.forEach((input, i) => write(input, values[i]));
    this.invoke();
    return this.outputs.map(({ data, flipped }) => data.map((one) => (flipped ? one ^ 0x80 : one)));
  }

  /** Runs on what was written to every `inputs[i].data`, whose memory a run may use again. */
  invoke() {
    const status = this.exports.sv_invoke();
    if (status) throw new Error(`the engine refuses with status ${status}`);
  }
}

function tensor(buffer, record, names, address) {
  const view = new DataView(buffer, record, 48);
  const name = new Uint8Array(buffer, names + view.getUint32(12, true));
  const flipped = (view.getUint8(3) & 1) === 1; // uint8 outside is int8 inside, bit 7 flipped
  const Type = flipped ? Uint8Array : TYPES[view.getUint8(0)];
  const shape = [...Array(view.getUint8(1)).keys()].map((i) => view.getUint32(24 + 4 * i, true));
  const data = new Type(buffer, address, view.getUint32(8, true) / Type.BYTES_PER_ELEMENT);
  const [scale, zeroPoint] = [view.getFloat32(16, true), view.getInt32(20, true) + 128 * flipped];
  const text = new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
  const dtype = Type.name.slice(0, -5).toLowerCase();
  return { name: text, dtype, shape, scale, zeroPoint, flipped, data };
}

function write({ name, dtype, shape, data, flipped }, value) {
  const fits = value instanceof data.constructor || value instanceof Uint8Array;
  if (!fits || value.byteLength !== data.byteLength)
    throw new TypeError(`${name} must be ${dtype} [${shape}]`);
  bytes(data).set(bytes(value));
  if (flipped) data.forEach((one, i) => (data[i] = one ^ 0x80));
}
