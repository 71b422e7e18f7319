// A Cloudflare Worker: POST the bytes of all inputs, one after the other; GET says what is wanted.
import module from "model.wasm"; // compiled when the worker is deployed
import { load } from "./selvedge.js";

const loading = load(module);

export default {
  async fetch(request) {
    const model = await loading;
    if (request.method === "GET") {
      return Response.json({ inputs: model.inputs.map(about), outputs: model.outputs.map(about) });
    }
    if (request.method !== "POST") return new Response("GET or POST\n", { status: 405 });
    const body = new Uint8Array(await request.arrayBuffer());
    const wanted = model.inputs.reduce((sum, { data }) => sum + data.byteLength, 0);
    if (body.length !== wanted) {
      return new Response(`${wanted} bytes are wanted, these are ${body.length}\n`, { status: 400 });
    }
    let at = 0;
    const parts = model.inputs.map(({ data }) => body.subarray(at, (at += data.byteLength)));
    const results = model.run(...parts);
    const outputs = model.outputs.map((output, i) => ({ ...about(output), values: [...results[i]] }));
    return Response.json({ outputs });
  },
};

function about({ name, dtype, shape, scale, zeroPoint }) {
  return { name, dtype, shape, scale, zeroPoint };
}
