"""The plan: what the engine executes, as values and as bytes (docs/reference/plan.md)."""
