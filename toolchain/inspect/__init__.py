"""What is in a model: operators, tensors, work, memory, and which runtimes can run it."""
