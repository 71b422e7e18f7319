"""Where a pipeline child meets its main process and its hardware."""
