"""What is proved of a wasm module before native code parses it, and read from its memory after."""
