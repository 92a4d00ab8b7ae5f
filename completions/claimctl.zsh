#compdef claimctl
# Completion of claimctl in zsh: source <(claimctl completions zsh), below compinit
_claimctl() {
    local line
    local -a whole more
    for line in "${(@f)$(CLAIMCTL_COMPLETE=zsh claimctl -- "${(@)words[1,CURRENT]}" 2>/dev/null)}"; do
        case $line in
        '='*) whole+=("${line#=}") ;;
        '+'*) more+=("${line#+}") ;;
        esac
    done
    # More is typed behind the end of these, so that no blank is put there.
    (($#more)) && _describe -V 'values' more -S ''
    (($#whole)) && _describe -V 'values' whole
}
compdef _claimctl claimctl
