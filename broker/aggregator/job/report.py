"""What people are told of a round and of a job."""

from collections.abc import Collection

from broker.aggregator.job.events import Opened
from broker.aggregator.job.judging import means
from broker.aggregator.job.machine import Job, State
from broker.aggregator.round.machine import Round
from broker.aggregator.store import Judgement
from broker.contract.federated.round import JobStatus, RoundReport, RoundState
from broker.contract.federated.round import Round as ToldRound

OVER: dict[State, RoundState] = {
    State.DONE: "done",
    State.FAILED: "failed",
    State.STOPPED: "stopped",
}


def report(
    round_: Round, opened: Opened, judgements: Collection[Judgement], now_ms: int
) -> RoundReport:
    """What a round brought; loss and accuracy are of the model that it began with."""
    counted = [s for s in round_.senders.values() if s.ack is not None and s.ack.counted]
    loss, accuracy = means(round_.spec, judgements) if judgements else (None, None)
    most = round_.spec.participation.max_examples
    told = [(s.losses[0], min(s.examples, most)) for s in counted if s.losses is not None]
    weight = sum(examples for _, examples in told)
    return RoundReport(
        number=opened.number,
        updates=round_.counted,
        refused=round_.refused,
        examples=sum(sender.examples for sender in counted),
        bytes=round_.bytes,
        seconds=round(max(0, now_ms - opened.opened_ms) / 1000, 3),
        loss=loss,
        accuracy=accuracy,
        training_loss=sum(loss * n for loss, n in told) / weight if weight else None,
    )


def told_status(job: Job, round_: Round | None, answers: int) -> JobStatus:
    """How far a job has come; `answers` are those of devices that judge the final model."""
    outcome = job.outcome
    return JobStatus(
        state=job.state.value,
        rounds=job.spec.rounds,
        round=job.number,
        updates=answers if round_ is None else round_.counted,
        goal=job.spec.participation.goal if job.asked is None else job.asked.goal,
        reason=job.reason,
        epsilon=job.epsilon,
        model=job.model,
        judged=job.judged,
        release=None if outcome is None else outcome.release,
        shipped=None if outcome is None else outcome.shipped,
        history=tuple(job.history),
    )


def told_round(job: Job) -> ToldRound:
    """The round that a job is in, for the fleet."""
    spec, opened, asked = job.spec, job.round, job.asked
    if opened is not None:
        return ToldRound(
            spec.id,
            opened.number,
            "open",
            job.model,
            job.control,
            open_for_s=spec.deadline_s,
            opened_ms=opened.opened_ms,
            seed=opened.seed,
            goal=spec.participation.goal,
        )
    if asked is not None:
        return ToldRound(
            spec.id,
            asked.number,
            "closed",
            job.model,
            open_for_s=spec.evaluation.deadline_s,
            opened_ms=asked.asked_ms,
            goal=asked.goal,
            baseline=spec.model.initial,
        )
    assert job.state is not State.RUNNING, "a job that runs has a round"
    state = OVER.get(job.state, "closed")
    return ToldRound(spec.id, job.number, state, job.model, job.control, reason=job.reason)
