"""Files that systemd hands over are found by the name of their folder's variable."""

import pytest

from agent.adapters.credentials import credential
from agent.errors import ConfigError

GIVEN = {"CREDENTIALS_DIRECTORY": "/run/credentials/selvedge-agent.service"}


@pytest.mark.parametrize(
    "path", [None, "/etc/ca.crt", "$HOME/ca.crt", "a/$CREDENTIALS_DIRECTORY/b"]
)
def test_other_paths_stay(path: str | None) -> None:
    assert credential(path, GIVEN) == path


def test_a_credential_lies_in_the_folder() -> None:
    found = credential("$CREDENTIALS_DIRECTORY/mqtt_ca.crt", GIVEN)
    assert found == "/run/credentials/selvedge-agent.service/mqtt_ca.crt"


def test_without_credentials_the_remedy_is_named() -> None:
    with pytest.raises(ConfigError, match="name a file, or start the service"):
        credential("$CREDENTIALS_DIRECTORY/mqtt_ca.crt", {})
