"""The store and the pipelines of this machine's agent, for commands."""

import argparse
import os

from agent.adapters.config_files import read_files, state_folder
from agent.adapters.state_folder import read_remembered
from agent.cli import command_line
from agent.config.device import PipelineConfig
from agent.config.layers import admit
from agent.config.local import from_environment, stack
from agent.config.processing import ClassifyPostprocess
from agent.control.shadow import recall
from agent.learning.samples.adapters.sqlite_samples import SAMPLES_FILE, SqliteSamples


def configured(arguments: argparse.Namespace) -> tuple[SqliteSamples, dict[str, PipelineConfig]]:
    """Find them as the agent does, with what it was told over MQTT.

    Raises:
        ConfigError: the configuration cannot be used.
        StorageError: the state folder cannot be read.
    """
    layers, config = stack(
        read_files(arguments.config), from_environment(os.environ), command_line(arguments)
    )
    folder = state_folder(config.state_dir)
    remembered = recall(read_remembered(folder))
    admitted = admit(layers, remembered.accepted, {})
    return SqliteSamples(folder / SAMPLES_FILE), admitted.config.pipelines


def names_of(pipeline: PipelineConfig | None) -> tuple[str, ...]:
    """The names of the classes that a pipeline tells apart, if it has such."""
    post = pipeline.postprocess if pipeline else None
    return post.labels if isinstance(post, ClassifyPostprocess) else ()
