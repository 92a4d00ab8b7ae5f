# What is typed every day. `just` lists it; CONTRIBUTING.md says more.

# What `.ci/run` has installed.
export PATH := env('PATH') + ':' + justfile_directory() / 'target/tools/bin'

runner := `PATH=$PATH:target/tools/bin; command -v cargo-nextest >/dev/null && echo 'nextest run' || echo test`

@_list:
    just --list --unsorted

# the product, unoptimised
build:
    cargo build --locked

# formatting and lints
check:
    cargo fmt --all --check && cargo clippy --workspace --all-targets --locked -- --deny warnings

# everything that must hold before a change lands
test *arguments:
    tests/run {{ arguments }}

# tests whose name has this in it: just one queue_peek
one name *arguments:
    cargo {{ runner }} --locked {{ name }} {{ arguments }}

# the kill tests, at so many moments each
kill seeds="200":
    CLAIMCTL_TEST_SEEDS={{ seeds }} cargo {{ runner }} --locked killed

# the whole story in a sandbox of its own
demo:
    cargo run --release --locked -- demo

# the golden files of help and completions, after a change that was meant
golden:
    UPDATE_GOLDEN=1 cargo {{ runner }} --locked --test it -- help

# one benchmark: just bench drain
bench name *arguments:
    cargo build --profile dist --locked && python3 benches/{{ name }}.py {{ arguments }}

# the picture of the demo in the README
picture:
    cargo build --profile dist --locked && python3 docs/images/make-demo.py target/dist/claimctl
