"""The embedded amqtt in a process of its own, so that it can be stopped and killed like any."""

import os
import sys
from pathlib import Path

from broker.adapters.engine_process import EngineProcess
from broker.adapters.listen_address import ListenAddress

_ROOT = Path(__file__).parents[2]


def start_amqtt(address: ListenAddress) -> EngineProcess:
    """Start the engine.

    Raises:
        LinkError: it does not start.
    """
    paths = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(filter(None, paths))
    module = ["-P", "-m", "broker.adapters.amqtt_engine", address.host, str(address.port)]
    return EngineProcess([sys.executable, *module], environment={"PYTHONPATH": path})
