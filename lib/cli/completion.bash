# bash completion for shmframe: commands, options as --help lists them, names, files.

_shmframe()
{
    local word=${COMP_WORDS[COMP_CWORD]} command= position=0 i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -* ]] && continue
        if [[ -z $command ]]; then command=${COMP_WORDS[i]}; else ((position++)); fi
    done
    COMPREPLY=()
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$("$1" $command --help 2>/dev/null | grep -o -- '--[a-z-]*')" -- "$word"))
    elif [[ -z $command ]]; then
        COMPREPLY=($(compgen -W "ls info head describe verify import export sql rm sweep" -- "$word"))
    elif [[ $command == import && $position == 0 || $command == export && $position == 1 ]]; then
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$word"))
    elif [[ $command != import && $command != sweep ]]; then
        COMPREPLY=($(compgen -W "$("$1" ls --json 2>/dev/null | sed -n 's/^    "name": "\(.*\)",$/\1/p')" -- "$word"))
    fi
}

complete -F _shmframe shmframe
