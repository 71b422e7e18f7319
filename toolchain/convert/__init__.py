"""From a plan and the prebuilt engine to one sealed wasm module (docs/reference/module.md)."""
