"""What the facts about the service, its configuration and its broker mean."""

from collections.abc import Iterator

from agent.doctor.facts import Facts, Refusal
from agent.doctor.finding import Finding

GROUP_OF = {"v4l2": "video", "picamera2": "video", "alsa": "audio", "serial": "dialout"}
REMEDIES = {
    Refusal.NAME: "write the broker's address into broker.url, or mend the network's name service",
    Refusal.NOBODY: "start the broker there (systemctl status selvedge-broker), or mend the port",
    Refusal.NETWORK: "mend the network, or a firewall on the way; IPAddressAllow= of the service",
    Refusal.CLOCK: "set the clock: sudo timedatectl set-ntp true; until then the agent tries again",
    Refusal.EXPIRED: "make the broker a new certificate (selvedge broker init), or set the clock",
    Refusal.AUTHORITY: "broker.ca is not who signed that certificate: copy ca.crt from the broker",
    Refusal.OTHER_NAME: "write a name into broker.url that the certificate holds; selvedge broker "
    "init --host NAME makes one",
    Refusal.NO_TLS: "write mqtt:// for that port, or the broker's port for TLS, usually 8883",
    Refusal.UNREADABLE: "put ca.crt, client.crt and client.key where the configuration says; where "
    "only root can read them: sudo selvedge doctor",
    Refusal.OTHER: "check address, port, certificates and password",
}


def check_configuration(facts: Facts) -> Iterator[Finding]:
    """Configuration that the agent would start with, and everything that it names."""
    configured = facts.configuration
    if configured is None:
        return
    files = ", ".join(configured.files)
    if configured.problem is not None:
        remedy = "mend that line; selvedge config show tries it"
        yield Finding("configuration", "problem", configured.problem, remedy)
        return
    yield Finding("configuration", "ok", files)
    for lack in configured.lacks:
        yield Finding("configuration", "problem", f"{lack.key}: {lack.problem}", lack.remedy)


def check_broker(facts: Facts) -> Iterator[Finding]:
    """The broker that is configured, or was named, accepts this machine."""
    answer = facts.broker
    if answer is None:
        return
    if answer.problem is None:
        yield Finding("broker", "ok", f"{answer.url} accepted in {answer.milliseconds} ms")
    else:
        text = f"{answer.url}: {answer.problem}"
        yield Finding("broker", "problem", text, REMEDIES[answer.refusal])


def check_service(facts: Facts) -> Iterator[Finding]:
    """The service runs."""
    service = facts.service
    if service is None:
        return
    text = f"{service.name} is {service.state}"
    if service.state == "failed":
        remedy = f"journalctl -u {service.name} -n 30 tells why; then systemctl restart it"
        yield Finding("service", "problem", f"{text}: {service.result}", remedy)
    elif service.is_started_again:
        remedy = f"journalctl -u {service.name} -n 30 tells why it ends"
        text = f"{service.name} ends and is started again: {service.result}"
        yield Finding("service", "problem", text, remedy)
    elif service.state in ("active", "activating", "reloading"):
        yield Finding("service", "ok", text)
    else:
        yield Finding("service", "warn", text, f"sudo systemctl enable --now {service.name}")


def check_service_groups(facts: Facts) -> Iterator[Finding]:
    """The service is in the groups that own the inputs, whoever asks here."""
    if facts.service is None:
        return
    for group in groups_of_inputs(facts):
        if group not in facts.service.groups:
            remedy = "sudo dpkg-reconfigure selvedge looks for the groups again"
            text = f"{facts.service.name} is not in {group}"
            yield Finding("group", "problem", text, remedy)


def groups_of_inputs(facts: Facts) -> list[str]:
    """Groups that own the inputs of this machine."""
    return sorted({GROUP_OF[found.kind] for found in facts.inputs if found.kind in GROUP_OF})
