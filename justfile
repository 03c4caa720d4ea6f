# What is done by hand, in one place. `just` alone lists it.

set positional-arguments

[private]
default:
    @just --list

# Everything that a change must pass: format, lints, tests.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- --deny warnings
    cargo test --workspace

# The tests of one crate, or of all: just test tidemill-queue
test crate="":
    cargo test {{ if crate == "" { "--workspace" } else { "--package " + crate } }}

# The house rules that a machine checks; about a second once it is built.
tidy:
    cargo test --package tidemill --test tidy

# Real SDKs against the real binary; pytest and boto3 must be installed.
blackbox *arguments:
    cargo build --release --package tidemill
    python3 -m pytest tests/blackbox "$@"

# Tidemill beside a bare HTTP handler, in one run; arguments go to the tool, as in `just bench --help`.
bench *arguments:
    cargo run --quiet --release --package tidemill-bench -- "$@"

# Writes models/ anew from an installed botocore; arguments go to the tool.
models *arguments:
    cargo xtask models "$@"

# Serves from ./data, on loopback, built for debugging.
run *arguments:
    cargo run --package tidemill -- serve --data-dir data "$@"

# Feeds a target with what no client would send: just fuzz TARGET [SECONDS]
fuzz target seconds="60":
    cargo +nightly fuzz run {{ target }} -- -max_total_time={{ seconds }}
