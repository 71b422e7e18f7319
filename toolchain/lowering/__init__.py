"""From a TFLite model to a plan: check, fold, place, pack (docs/explain/engine.md)."""
