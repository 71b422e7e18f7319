"""Completion for bash, written from the parsers."""

from deploy.package.commands_of_selvedge import options, parsers

SCRIPT = """\
# Written from the commands themselves. Words: commands first, then options and files.
_selvedge() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} first=${{COMP_WORDS[1]:-}} second=${{COMP_WORDS[2]:-}}
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "{first}" -- "$current")
        return
    fi
    case "$COMP_CWORD $first" in
{groups}
    esac
    local words=""
    case "$first $second" in
{options}
    esac
    if [ -z "$words" ]; then
        case "$first" in
{single}
        esac
    fi
    case "$current" in
    -*) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current") ;;
    *) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    esac
}}
complete -o filenames -F _selvedge selvedge
"""
GROUP = """\
    "2 {head}")
        mapfile -t COMPREPLY < <(compgen -W "{words}" -- "$current")
        [ -z "${{COMPREPLY[*]}}" ] || return
        ;;"""


def script() -> str:
    """The completion script."""
    known = {name: " ".join(options(parser)) for name, _, parser in parsers()}
    groups: dict[str, list[str]] = {}
    for name in known:
        head, _, rest = name.partition(" ")
        groups.setdefault(head, []).extend([rest] if rest else [])
    nested = {head: words for head, words in groups.items() if words}
    return SCRIPT.format(
        first=" ".join(sorted(groups)),
        groups="\n".join(
            GROUP.format(head=head, words=" ".join(words)) for head, words in nested.items()
        ),
        options="\n".join(
            f'    "{name}") words="{words}" ;;' for name, words in known.items() if " " in name
        ),
        single="\n".join(
            f'        {name}) words="{words}" ;;'
            for name, words in known.items()
            if " " not in name
        ),
    )
