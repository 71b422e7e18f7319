"""How much privacy the rounds of a job have spent, by Google's `dp-accounting` (Rényi accountant).

Who takes part is decided by a seed that every device may read, so sampling devices hides nothing
from them: rounds are composed without amplification. A round without an outcome costs nothing under
`central`; under `local` every device pays when it sends.
"""

from functools import cache

from broker.contract.federated.job import PrivacySpec
from broker.errors import UnavailableError


def epsilon(spec: PrivacySpec, rounds: int) -> float | None:
    """ε at the job's δ after so many rounds.

    central: two fleets of which one has a device more; the sum's noise is z · clip_norm.
    local: two data sets on one device; their updates differ by up to 2 · clip_norm, so the noise
    counts half.

    Returns:
        None if the job has no privacy.

    Raises:
        UnavailableError: `dp-accounting` is not installed.
    """
    if spec.mode == "none":
        return None
    if rounds == 0:
        return 0.0
    sensitivity = 2.0 if spec.mode == "local" else 1.0
    return _composed(spec.noise_multiplier / sensitivity, rounds, spec.delta)


def would_exceed(spec: PrivacySpec, rounds: int) -> str | None:
    """Why one more round after `rounds` is not allowed, if so."""
    spent = epsilon(spec, rounds + 1)
    if spent is None or spec.max_epsilon is None or spent <= spec.max_epsilon:
        return None
    return f"the next round would spend ε {spent:.3g}, the budget is {spec.max_epsilon:g}"


@cache
def _composed(noise: float, rounds: int, delta: float) -> float:
    # Takes seconds and 70 MB, which aggregators of jobs without privacy need not spend.
    try:
        import dp_accounting
        from dp_accounting import rdp
    except ImportError:
        raise UnavailableError(
            "dp-accounting is not installed: pip install 'selvedge[broker]', or drop privacy"
        ) from None
    accountant = rdp.RdpAccountant()
    event = dp_accounting.SelfComposedDpEvent(dp_accounting.GaussianDpEvent(noise), rounds)
    accountant.compose(event)
    return float(accountant.get_epsilon(delta))
