"""The learner's process: reads the store, has features computed and a module train, leaves files.

It runs no foreign code itself: the backbone and the trainer module have processes of their own,
behind walls. `LearnerProcess` starts it, and it ends with whoever did.
"""

import os
from collections import Counter
from pathlib import Path
from typing import Any

from agent.errors import ConfigError, ModelError, SampleError, StorageError
from agent.learning.learner.adapters.backbone import features
from agent.learning.learner.adapters.files import read, read_vector, write
from agent.learning.learner.dataset import Floats, real
from agent.learning.learner.learn import Start, judge, learn
from agent.learning.learner.request import Report, Request
from agent.learning.samples.adapters.sqlite_samples import SqliteSamples
from agent.learning.samples.fitting import fits
from agent.learning.samples.sample import Sample
from agent.learning.trainer.adapters.session import Limits, Session
from agent.learning.trainer.wire import MAX_MODULE_BYTES
from agent.runtime.adapters.child import answer
from agent.runtime.adapters.orphan import be_an_errand
from broker.contract.errors import ContractError
from broker.contract.federated.job import check_job
from broker.contract.federated.noise import KEY_BYTES
from broker.contract.federated.participant.words import Task
from broker.contract.shape import parse, to_tree

KEPT_FOR_US = 0.9
"""Of the deadline, for the trainer; the rest is for what comes before and after."""

MAX_INPUT = 1e30
"""No honest example has such a number; NaN is none either."""


def work(question: dict[str, Any]) -> dict[str, Any]:
    """Answer one request with its report.

    Raises:
        AgentError: ModelError where model, trainer or samples do not serve.
    """
    request = parse(Request, question)
    if isinstance(request, list):
        raise ConfigError(f"request of the learner: {request[0]}")
    if (request.output is None) == (request.baseline is None):
        raise ConfigError("request of the learner: names neither output nor baseline, or both")
    try:
        check_job(request.spec)
        tree: dict[str, Any] = to_tree(_learned(request))
    except (ContractError, SampleError, StorageError) as error:
        raise ModelError(str(error)) from None
    return tree


def _learned(request: Request) -> Report:
    spec = request.spec
    shape = (spec.model.parameters,)
    model = read_vector(request.model, shape)
    baseline = read_vector(request.baseline, shape)
    assert model is not None
    start = Start(
        model,
        read_vector(request.control, shape),
        read_vector(request.own_control, shape),
        read_vector(request.residual, (spec.vectors, *shape)),
    )
    store = SqliteSamples(Path(request.samples))
    kept = store.load(request.pipeline)
    store.close()
    pairs = _examples(request, [one for one in kept if fits(one.label, spec.model)])
    samples, examples = [one for one, _ in pairs], [example for _, example in pairs]
    skipped = len(kept) - len(pairs)
    with _trainer(request) as trainer:
        if baseline is not None:
            found = judge(spec, samples, examples, model, baseline, trainer)
            nothing = (0, 0, 0, skipped)
            return Report(spec.id, request.round.number, *nothing, evaluation=found)
        learned = learn(
            Task(spec, request.round),
            request.device,
            samples,
            examples,
            start,
            trainer,
            os.urandom(KEY_BYTES),
        )
    report = Report(
        *(spec.id, request.round.number, len(learned.messages), learned.examples, learned.steps),
        skipped=skipped,
        has_residual=learned.residual is not None,
        has_own_control=learned.own_control is not None,
        losses=learned.losses,
        evaluation=learned.evaluation,
    )
    assert request.output is not None
    write(request.output, learned, report)
    return report


def _trainer(request: Request) -> Session:
    module = read(request.trainer, most=MAX_MODULE_BYTES)
    steps = request.spec.local.max_steps
    limits = Limits(total_s=KEPT_FOR_US * request.deadline_s, steps=steps)
    cache = None if request.cache is None else Path(request.cache)
    return Session(module, request.runtime, limits, cache)


def _examples(request: Request, samples: list[Sample]) -> list[tuple[Sample, Floats]]:
    """Samples with what the trainer is given of each; those that cannot be used are left out."""
    wanted = request.spec.model.example_floats
    given = [real(one.example) for one in samples]
    if request.backbone is not None and given:
        # A sample of another size is left over from another model.
        size = Counter(example.size for example in given).most_common(1)[0][0]
        samples = [one for one, example in zip(samples, given, strict=True) if example.size == size]
        given = [example for example in given if example.size == size]
        given = features(request.backbone, given, wanted, request.deadline_s)
    return [
        (one, example)
        for one, example in zip(samples, given, strict=True)
        if example.size == wanted and bool((abs(example) < MAX_INPUT).all())
    ]


if __name__ == "__main__":
    be_an_errand()
    answer(work)
