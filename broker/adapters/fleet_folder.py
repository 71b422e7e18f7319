"""The folder of a fleet's authority: what is there stays, what is missing is made."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from broker.adapters.authority import (
    Authority,
    Key,
    Validity,
    authority_certificate,
    certificate_bytes,
    client_certificate,
    hosts_of,
    key_bytes,
    new_key,
    read_certificate,
    read_key,
    server_certificate,
)
from broker.adapters.engine_process import unprivileged_account
from broker.adapters.secret_files import KEY_MODE, make_folder, read_if_there, write_whole
from broker.contract.topics import Topics, is_name
from broker.errors import ConfigError
from broker.init.access import access_list, aggregator_user, operator_user
from broker.init.mosquitto_conf import mosquitto_conf
from broker.init.settings import FleetSettings, read_settings, settings_tree

PRIVATE_FOLDER = 0o700
SHARED_FOLDER = 0o755


@dataclass
class FleetFolder:
    """A fleet's keys, certificates and broker configuration below one folder.

    `ca/` holds the keys of the two authorities and may be taken offline, `mosquitto/` belongs on
    the broker's machine, each folder in `devices/`, `operators/` and `aggregators/` on its machine.

    Attributes:
        created: files that this run has made, in order.
    """

    root: Path
    validity: Validity
    created: list[Path] = field(default_factory=list)

    def prepare(self, settings: FleetSettings) -> None:
        """Make whatever is missing: authorities, server certificate, broker configuration.

        Raises:
            ConfigError: a file cannot be written, or one that is there cannot be used.
        """
        make_folder(self.root, SHARED_FOLDER)
        for name in ("ca", "devices", "operators", "aggregators"):
            make_folder(self.root / name, PRIVATE_FOLDER)
        make_folder(self._mosquitto / "conf.d", SHARED_FOLDER)
        make_folder(self._mosquitto / "data", PRIVATE_FOLDER)
        self._server(settings.hosts)
        for name in ("fleet", "operators"):
            certificate = certificate_bytes(self._authority(name).certificate)
            self._put(self._mosquitto / f"{name}-ca.crt", certificate)
        conf = mosquitto_conf(self._mosquitto, settings.port)
        self._put(self._mosquitto / "mosquitto.conf", conf.encode())
        self._put(self.root / "fleet.json", json.dumps(settings_tree(settings), indent=2).encode())

    def add_device(self, device: str) -> None:
        """Give a device its key and certificate; one that has them keeps them."""
        self._client(self.root / "devices" / device, "fleet", device)

    def add_operator(self, name: str) -> None:
        """Give an operator a key and a certificate; one who has them keeps them."""
        self._client(self.root / "operators" / name, "operators", operator_user(name))

    def add_aggregator(self, name: str) -> None:
        """Give an aggregator a key and a certificate for the operators' port."""
        self._client(self.root / "aggregators" / name, "operators", aggregator_user(name))

    def finish(self, settings: FleetSettings) -> None:
        """Write the access list for all members; hand what is not public to the broker's user."""
        text = access_list(
            Topics(settings.prefix),
            self.members("operators"),
            self.members("aggregators"),
            readable=settings.readable,
            home_assistant=settings.home_assistant,
            blocked=settings.blocked,
        )
        self._put(self._mosquitto / "acl", text.encode(), KEY_MODE)
        account = unprivileged_account()
        if account is not None:
            for name in ("acl", "server.key", "data"):
                path = self._mosquitto / name
                os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)

    def members(self, group: str) -> list[str]:
        """Names in `devices`, `operators` or `aggregators`."""
        folder = self.root / group
        return sorted(path.name for path in folder.iterdir() if is_name(path.name))

    def settings(self) -> FleetSettings | None:
        """What the last run was asked for, or None in a new folder.

        Raises:
            ConfigError: it cannot be read.
        """
        data = read_if_there(self.root / "fleet.json")
        return None if data is None else read_settings(data, str(self.root / "fleet.json"))

    @property
    def _mosquitto(self) -> Path:
        return self.root / "mosquitto"

    def _authority(self, name: str) -> Authority:
        path = self.root / "ca" / f"{name}.crt"
        key_path = path.with_suffix(".key")
        if not key_path.exists() and (self._mosquitto / f"{name}-ca.crt").exists():
            raise ConfigError(f"{key_path} is missing: bring it back, it has to sign")
        key = self._key(key_path)
        data = read_if_there(path)
        if data is not None:
            return Authority(key, read_certificate(data, key, str(path)))
        certificate = authority_certificate(key, f"selvedge {name} authority", self.validity)
        self._put(path, certificate_bytes(certificate))
        return Authority(key, certificate)

    def _server(self, hosts: Sequence[str]) -> None:
        path = self._mosquitto / "server.crt"
        key = self._key(path.with_suffix(".key"))
        data = read_if_there(path)
        if data is not None and set(hosts) <= set(hosts_of(read_certificate(data, key, str(path)))):
            return
        certificate = server_certificate(self._authority("fleet"), key, hosts, self.validity)
        self._put(path, certificate_bytes(certificate))

    def _client(self, folder: Path, authority: str, name: str) -> None:
        make_folder(folder, PRIVATE_FOLDER)
        path = folder / "client.crt"
        key = self._key(path.with_suffix(".key"))
        data = read_if_there(path)
        if data is None:
            certificate = client_certificate(self._authority(authority), key, name, self.validity)
            self._put(path, certificate_bytes(certificate))
        else:
            read_certificate(data, key, str(path))
        self._put(folder / "ca.crt", certificate_bytes(self._authority("fleet").certificate))

    def _key(self, path: Path) -> Key:
        data = read_if_there(path)
        if data is not None:
            return read_key(data, str(path))
        key = new_key()
        self._put(path, key_bytes(key), KEY_MODE)
        return key

    def _put(self, path: Path, data: bytes, mode: int = 0o644) -> None:
        old = read_if_there(path)
        if old != data:
            write_whole(path, data, mode)
            self.created.append(path)
