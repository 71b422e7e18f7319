"""What people are told of a round and of a job."""

from collections.abc import Sequence

from broker.aggregator.job.events import Opened
from broker.aggregator.job.machine import Job
from broker.aggregator.round.machine import Round
from broker.aggregator.store import Judgement
from broker.contract.federated.round import JobStatus, RoundReport


def report(
    round_: Round, opened: Opened, judgements: Sequence[Judgement], now_ms: int
) -> RoundReport:
    """What a round brought; loss and accuracy are of the model that it began with."""
    counted = [s for s in round_.senders.values() if s.ack is not None and s.ack.counted]
    judged = sum(each.examples for each in judgements)
    loss = sum(each.loss * each.examples for each in judgements) / judged if judged else None
    correct = sum(each.correct for each in judgements)
    told = [(s.losses[0], s.examples) for s in counted if s.losses is not None]
    weight = sum(examples for _, examples in told)
    return RoundReport(
        number=opened.number,
        updates=round_.counted,
        refused=round_.refused,
        examples=sum(sender.examples for sender in counted),
        bytes=round_.bytes,
        seconds=round(max(0, now_ms - opened.opened_ms) / 1000, 3),
        loss=loss,
        accuracy=correct / judged if judged else None,
        training_loss=sum(loss * n for loss, n in told) / weight if weight else None,
    )


def told_status(job: Job, round_: Round | None) -> JobStatus:
    """How far a job has come."""
    return JobStatus(
        state=job.state.value,
        rounds=job.spec.rounds,
        round=job.number,
        updates=0 if round_ is None else round_.counted,
        goal=job.spec.participation.goal,
        reason=job.reason,
        epsilon=job.epsilon,
        model=job.model,
        history=tuple(job.history),
    )
