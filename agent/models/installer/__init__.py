"""The process that verifies a model's files, and tries its golden samples."""
