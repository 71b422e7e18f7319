using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "model", worker = .model)],
  sockets = [(name = "http", address = "127.0.0.1:8787", http = (), service = "model")],
);

const model :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "selvedge.js", esModule = embed "selvedge.js"),
    (name = "model.wasm", wasm = embed "model.wasm"),
  ],
  compatibilityDate = "2026-01-01",
);
