# Short names for the scripts; they also run without `just`.

# List the recipes
default:
    @just --list

# Run the main job on an AWS on this machine
demo *arguments:
    ./scripts/demo {{ arguments }}

# Run the tests; arguments go to `cargo test`
test *arguments:
    ./scripts/test {{ arguments }}

# Install the operator's command `promote`
install-promote:
    cargo install --path cli --locked

# Run the payloads of events/ in Lambda's container (needs Docker)
sam-local *names:
    ./scripts/sam-local {{ names }}

# Take the pictures in docs/pictures again
pictures:
    UPDATE_PICTURES=1 ./scripts/test --test pages pictures

# Measure the function beside the same work in Python, Node.js and bash
bench *arguments:
    ./scripts/bench {{ arguments }}

# Make the zips and the plain template; arguments go to scripts/package
package *arguments:
    ./scripts/package {{ arguments }}

# Check everything that must hold before a change lands
ci:
    ./.ci/run
