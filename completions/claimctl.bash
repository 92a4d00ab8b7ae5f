# Completion of claimctl in bash: source <(claimctl completions bash)
_claimctl() {
    local reply
    COMPREPLY=()
    # What bash will replace goes beside the line: it breaks words at colons and equals signs too.
    while IFS= read -r reply; do
        COMPREPLY+=("$reply")
    done < <(CLAIMCTL_COMPLETE=bash claimctl -- "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null)
    # A blank is put behind a word that is whole. The bash of macOS cannot choose, and puts none.
    [[ ${COMPREPLY[0]-} == *[/=:] ]] || compopt +o nospace 2>/dev/null
}
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)); then
    complete -o nospace -o bashdefault -o nosort -F _claimctl claimctl
else
    complete -o nospace -o bashdefault -F _claimctl claimctl
fi
