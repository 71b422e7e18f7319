"""One pipeline: source, preprocessing, runtime, postprocessing; a killable child process."""
