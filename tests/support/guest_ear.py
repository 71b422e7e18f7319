"""Runs inside a guest: prints the results of pipelines as JSON lines until each has sent enough.

It listens once /run/ear is there.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

folder, port, wanted, *pipelines = sys.argv[1:]
heard: Counter[str] = Counter()


def note(client: mqtt.Client, _: object, message: mqtt.MQTTMessage) -> None:
    pipeline = message.topic.rpartition("/")[2]
    heard[pipeline] += 1
    sys.stdout.write(json.dumps({"pipeline": pipeline, **json.loads(message.payload)}) + "\n")
    if all(heard[name] >= int(wanted) for name in pipelines):
        client.disconnect()


client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="ear")
client.tls_set(f"{folder}/ca.crt", f"{folder}/client.crt", f"{folder}/client.key")
client.on_message = note
client.on_connect = lambda client, *_: client.subscribe("selvedge/v1/devices/+/results/#", 1)
client.on_subscribe = lambda *_: Path("/run/ear").touch()
client.connect("localhost", int(port))
client.loop_forever()
