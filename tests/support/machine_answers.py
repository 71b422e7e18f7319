"""Runs on any machine: a model's answers to all inputs of a file, under one runtime."""

import platform
import sys

import numpy as np

from agent.runtime.adapters.loading import Options, load

model_path, runtime, inputs_path, outputs_path = sys.argv[1:]
options = Options(threads=1, delegate="xnnpack", cache=None, deadline_s=None)
model, _, _ = load(model_path, runtime, options)
info = model.inputs[0]
samples = np.load(inputs_path).reshape(-1, *info.shape[1:]).astype(info.dtype)
answers = [model.run([sample[None]])[0].copy() for sample in samples]
np.save(outputs_path, np.concatenate(answers))
print(platform.machine(), model.info().runtime)
