"""What an installation does in which state, as a table."""

from agent.models.journal import State
from agent.models.words import (
    Answered,
    Configured,
    Due,
    Failed,
    Faulted,
    Fetched,
    NotFetched,
    Offered,
    Refitted,
    RollBack,
    Serves,
    Worked,
)

S = State
TABLE: dict[tuple[State, type], str] = {
    (S.IDLE, Offered): "consider",
    (S.IDLE, RollBack): "step_back",
    (S.IDLE, Configured): "give_way",
    (S.DOWNLOAD, Offered): "supersede",
    (S.DOWNLOAD, Fetched): "take",
    (S.DOWNLOAD, NotFetched): "put_off",
    (S.DOWNLOAD, Configured): "give_way",
    (S.DOWNLOAD, Refitted): "begin_anew",
    (S.VERIFY, Offered): "supersede",
    (S.VERIFY, Worked): "stage",
    (S.VERIFY, Failed): "refuse",
    (S.VERIFY, Configured): "give_way",
    (S.VERIFY, Refitted): "begin_anew",
    (S.GOLDEN, Offered): "supersede",
    (S.GOLDEN, Worked): "switch",
    (S.GOLDEN, Failed): "refuse",
    (S.GOLDEN, Configured): "give_way",
    (S.GOLDEN, Refitted): "begin_anew",
    (S.PROBATION, Offered): "note",
    (S.PROBATION, Serves): "watch",
    (S.PROBATION, Answered): "judge",
    (S.PROBATION, Due): "judge",
    (S.PROBATION, Faulted): "fail",
    (S.PROBATION, RollBack): "step_back",
    (S.PROBATION, Configured): "give_way",
    (S.PROBATION, Refitted): "fit",
}
"""Every pair that is not here changes nothing. STAGE, SWITCH, COMMIT and ROLLBACK last only as
long as the disk needs, and are met again after a loss of power."""


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, for the documentation."""
    back = (S.ROLLBACK,)
    ends = {
        "consider": (S.DOWNLOAD,),
        "supersede": (S.DOWNLOAD,),
        "begin_anew": (S.DOWNLOAD,),
        "fit": (S.PROBATION, S.DOWNLOAD),
        "take": (S.DOWNLOAD, S.VERIFY, S.IDLE),
        "put_off": (S.IDLE,),
        "stage": (S.STAGE,),
        "refuse": (S.IDLE,),
        "switch": (S.SWITCH,),
        "judge": (S.PROBATION, S.COMMIT),
        "fail": back,
        "step_back": back,
        "give_way": back,
    }
    lines = ["stateDiagram-v2", "    [*] --> idle"]
    for (state, event), transition in TABLE.items():
        label = f"{_words(event.__name__)} / {transition.replace('_', ' ')}"
        lines += [
            f"    {state.value} --> {end.value}: {label}" for end in ends.get(transition, (state,))
        ]
    passed = (
        (S.STAGE, S.GOLDEN),
        (S.SWITCH, S.PROBATION),
        (S.COMMIT, S.IDLE),
        (S.ROLLBACK, S.IDLE),
    )
    lines += [f"    {state.value} --> {end.value}: it is on the disk" for state, end in passed]
    return "\n".join(lines) + "\n"


def _words(name: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
