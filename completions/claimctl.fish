# Completion of claimctl in fish: claimctl completions fish | source
complete --keep-order --exclusive --command claimctl --arguments "(CLAIMCTL_COMPLETE=fish claimctl -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token --cut-at-cursor))"
