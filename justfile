# What is done by hand, in one place. `just` alone lists it.

set positional-arguments

[private]
default:
    @just --list

# Everything that a change must pass: format, lints, every test.
check:
    cargo fmt --all --check
    cargo fmt --manifest-path tests/clients/rust/Cargo.toml --check
    cargo clippy --workspace --all-targets -- --deny warnings
    cargo xtask test

# The tests of one crate, or all of them with real clients: just test tidemill-queue
test crate="":
    cargo {{ if crate == "" { "xtask test" } else { "test --package " + crate } }}

# Real clients against the real binary; only those tests with WORD in their names
blackbox word:
    cargo xtask test --only {{ word }}

# The house rules that a machine checks; about a second once it is built.
tidy:
    cargo test --package tidemill --test tidy

# Kills the service while it is used, and holds it to what it had acknowledged; arguments go to the
# tool: just crash --rounds 200 --seed 7
crash *arguments:
    cargo xtask crash "$@"

# The engine and its recovery on a simulated disk and clock: just simulate --seeds 5000
simulate *arguments:
    cargo xtask simulate "$@"

# The minds that scale workers, against traces of demand: just scaling --seeds 5 --plots docs/scaling
scaling *arguments:
    cargo xtask scaling "$@"

# Tidemill beside a bare HTTP handler; arguments go to the tool: just bench --help. The other
# benchmarks are beside it: see docs/performance.md.
bench *arguments:
    cargo build --quiet --release --package tidemill --package tidemill-bench
    cargo run --quiet --release --package tidemill-bench --bin tidemill-bench -- "$@"

# Writes models/ anew: just models --botocore FOLDER [--query-names-from FOLDER]
models *arguments:
    cargo xtask models "$@"

# Serves from ./data, on loopback, built for debugging.
run *arguments:
    cargo run --package tidemill -- serve --data-dir data "$@"

# Feeds a target with what no client would send; needs nightly Rust and cargo-fuzz;
# docs/fuzzing.md says how to do without.
fuzz target seconds="60":
    cargo +nightly fuzz run {{ target }} -- -max_total_time={{ seconds }}
