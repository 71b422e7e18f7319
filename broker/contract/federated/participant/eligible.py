"""Whether a device takes part in the round that is open, and if not, why."""

from broker.contract.federated.job import JobSpec
from broker.contract.federated.participant.words import Ended, Key, Opened, Passed, Task
from broker.contract.federated.round import Round
from broker.contract.federated.selection import share_of, takes_part


def consider(
    spec: JobSpec,
    told: Round,
    device: str,
    examples: int,
    *,
    unable: str | None = None,
    kept: Key | None = None,
) -> Opened | Passed | Ended:
    """Judge a round's message.

    Args:
        spec: of the same job.
        told: the message.
        device: this one.
        examples: how many it has to train on.
        unable: why it may not train now, if so.
        kept: the round of an update that waits on the disk: sending it takes no training.
    """
    task = Task(spec, told)
    if told.state != "open":
        return Ended(told.reason or f"round {told.number} is {told.state}")
    if kept == task.key:
        return Opened(task)
    why = _why_not(spec, told, device, examples) or unable
    return Opened(task) if why is None else Passed(task.key, why)


def _why_not(spec: JobSpec, told: Round, device: str, examples: int) -> str | None:
    wanted = spec.participation
    if told.model.bytes != 4 * spec.model.parameters:
        return f"a model of {told.model.bytes} bytes is not that of the job"
    if examples < wanted.min_examples:
        return f"has fewer than {wanted.min_examples} examples"
    if not takes_part(device, told.job, told.number, told.seed, share_of(wanted)):
        return f"not chosen for round {told.number}"
    return None


def asked_to_judge(spec: JobSpec, told: Round) -> bool:
    """Whether every device with examples held out is asked for its `Evaluation`, without training.

    It judges `told.model` and `told.baseline`, both of the job's size, and answers once.
    """
    size = 4 * spec.model.parameters
    return (
        spec.judges
        and told.state == "closed"
        and told.baseline is not None
        and told.model.bytes == told.baseline.bytes == size
    )
