#!/usr/bin/env bash
# Runs real programs. Compares their output with the files in tests/programs/, and their exit codes with those below.
#
#   scripts/real-programs.sh target/release/wasmr
#   scripts/real-programs.sh --bless wasmtime      write tests/programs/*.expected from another runtime (the committed
#                                                  files are from wasmtime 48.0.8, those of components from 49.0.3, that of
#                                                  pandoc from Node.js 26)
#
# Programs come from scripts/fetch-programs.sh and scripts/build-components.sh, which this script calls, and from tests/guests/.
# Each program has one line of output: PASS, FAIL or SKIP with the reason. A program that could not be fetched is a SKIP. The
# exit code is 1 if a program failed, or if a component could not be built although its tools are there.
#
# The two sandboxes import one interface that is no part of WASI. wasmr composes them with a component that provides it
# (--plug). With --bless, other runtimes run the compositions that `scripts/build-components.sh python-sandbox
# javascript-sandbox` makes, and need `-S http`, as these sandboxes import wasi:http too. They are skipped if they are not there.
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
built=yes
scripts/build-components.sh || built=no

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
# Runs FILE in an empty directory. Its standard output must be NAME.expected and its exit code CODE. With the option
# `stderr=TEXT`, standard error must contain TEXT. The text of `stdin=TEXT` is its input, which is empty otherwise. All other
# options go to the runtime.
check() {
    local name=$1 file=$2 code=$3 need='' input='' options=() got=0 start
    shift 3
    while [ "$1" != -- ]; do
        case $1 in
            stderr=*) need=${1#stderr=} ;;
            stdin=*) input=${1#stdin=} ;;
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
    printf %s "$input" >"$work/in"
    start=$(date +%s%N)
    (cd "$work/dir" && timeout "${WASMR_RUN_TIMEOUT:-300}" "$binary" run ${more[@]+"${more[@]}"} \
        ${options[@]+"${options[@]}"} -- "$file" "$@") >"$work/out" 2>"$work/err" <"$work/in" || got=$?
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

guests=$root/tests/guests components=$programs/components
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
# Go programs need a deep stack. Go's own launcher asks for the same size.
check go_goroutines "$components/go-module.wasm" 3 stderr='leaving with 3' -W max-wasm-stack=8388608 --

check component_c_tree "$components/c-tree.wasm" 0 --dir .::/w -- /w
# The adapter from Preview 1 makes 1 of every exit code that is not 0.
check component_go "$components/go.wasm" 1 stderr='leaving with 3' -W max-wasm-stack=8388608 --
shapes='[circle(2.5), polygon([{x: 0, y: 0}, {x: 4, y: 0}, {x: 4, y: 3}, {x: -1, y: 3}]), nothing]'
for language in python javascript; do
    file=$components/$language.wasm
    if [ $language = javascript ] && [ ! -f "$file" ]; then
        skip component_javascript "no javascript.wasm; scripts/build-components.sh javascript builds it"
        continue
    fi
    case $language in
        python) code=7 ;;     # by `exit-with-code`
        javascript) code=1 ;; # as `run` fails
    esac
    check component_$language "$file" $code stderr='to standard error' stdin=$'one\ntwo\nthree grüße\nfour' --dir .::/w \
        --env NAME=value --env EMPTY= -- one 'two words' '' $code
    check component_${language}_describe "$file" 0 \
        --invoke "describe($shapes, inch, {area, corners}, some(\"three shapes\"))" --
    check component_${language}_refusal "$file" 0 --invoke 'describe([polygon([{x: 1, y: 1}])], metre, {}, none)' --
    check component_${language}_total "$file" 0 --invoke 'total([1, 2, 255])' --
    check component_${language}_letters "$file" 0 --invoke 'letters("aü👋\u{0}\n")' --
done
for language in python javascript; do
    case $language in
        python) name=python-sandbox code=sandbox.py ;;
        javascript) name=js-sandbox code=sandbox.js ;;
    esac
    call=$(<"$guests/components/$code")
    call=${call//\\/\\\\}
    call=${call//\"/\\\"}
    call="run(\"${call//$'\n'/\\n}\")"
    if [ $bless = no ]; then
        check component_${language}_sandbox "$programs/$name.wasm" 0 -W unknown-imports-trap \
            --plug "$guests/components/tools.wat" --invoke "$call" --
    elif [ -f "$components/$language-sandbox.wasm" ]; then
        check component_${language}_sandbox "$components/$language-sandbox.wasm" 0 -S http --invoke "$call" --
    else
        skip component_${language}_sandbox "not composed; scripts/build-components.sh $language-sandbox composes it"
    fi
done

if [ $built = no ]; then fail build-components "see FAILED above"; fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
