#!/usr/bin/env bash
# Rebuilds the guests in this directory, and examples/wordcount.wasm, from the sources beside them.
#
#   tests/guests/rebuild.sh            rebuild all
#   tests/guests/rebuild.sh tree deep  rebuild these
#
# The .wasm files are committed, so `cargo test` needs none of this. What it takes:
#   C and C++   the PyPI package ziglang 0.17.1 (clang, wasm-ld, wasi-libc, libc++), installed into a virtual
#               environment in a temporary directory; ZIG_PYTHON=python names one that has it already
#   pthreads.c  the same clang, and the wasi-libc of wasi-sdk 25, whose sysroot WASI_THREADS_SYSROOT names
#   Rust        Debian's rustc 1.63, libstd-rust-dev-wasm32 and lld-14, as /usr/bin/rustc and /usr/bin/lld-14
#   CoreMark    the same, and the crate `coremark` 1.0.0 (MIT licence), fetched by cargo
#   Go          nothing here: goroutines.wasm is large, so scripts/build-components.sh builds it where it is needed
# A step whose toolchain is missing is skipped and says so.
set -euo pipefail
cd "$(dirname "$0")"
guests=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wanted=("$@")
want() { # want NAME: was NAME asked for?
    [ ${#wanted[@]} -eq 0 ] && return 0
    local name
    for name in "${wanted[@]}"; do [ "$name" = "$1" ] && return 0; done
    return 1
}
built() { printf '%-14s %8d bytes\n' "$1" "$(stat -c %s "$1")"; }
skip() { echo "SKIPPED $1: $2"; }

zig=${ZIG_PYTHON:-}
if [ -z "$zig" ]; then
    if python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet ziglang==0.17.1; then
        zig=$work/venv/bin/python
    fi
fi
cc() { "$zig" -m ziglang cc -target wasm32-wasi "$@"; }
cxx() { "$zig" -m ziglang c++ -target wasm32-wasi "$@"; }

keep_names() { # keep_names FILE: drop every custom section but "name" (the linker can only drop all or none)
    python3 - "$1" <<'PYTHON'
import sys
path = sys.argv[1]
data = open(path, "rb").read()


def leb(at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if byte < 0x80:
            return value, at


out, at = data[:8], 8
while at < len(data):
    size, body = leb(at + 1)
    length, name = leb(body)
    if data[at] != 0 or data[name : name + length] == b"name":
        out += data[at : body + size]
    at = body + size
open(path, "wb").write(out)
PYTHON
    built "$1"
}

c_guest() { # c_guest NAME FLAGS…
    local name=$1
    shift
    want "$name" || return 0
    cc "$@" "$name.c" -o "$name.wasm"
    chmod 644 "$name.wasm"
    case " $* " in *" -g "*) ;; *) built "$name.wasm" ;; esac
}

# Without symbols, for size; trap and deep keep their names, which backtraces show.
if [ -n "$zig" ]; then
    for name in hello args_env exit cat spew loop tree fileio poll sock mandel sieve grow; do
        c_guest "$name" -Oz -s
    done
    if want wordcount; then
        cc -Oz -s ../../examples/wordcount.c -o ../../examples/wordcount.wasm
        chmod 644 ../../examples/wordcount.wasm
        built ../../examples/wordcount.wasm
    fi
    c_guest simd -O2 -s -msimd128
    # The memory comes from the host, for all threads. threads keeps its names.
    threads=(-O2 -matomics -mbulk-memory -Wl,--import-memory,--export-memory,--shared-memory,--max-memory=1073741824)
    c_guest psort "${threads[@]}" -s
    c_guest threads "${threads[@]}" -g
    if want threads; then keep_names threads.wasm; fi
    # The wasi-libc that ziglang ships has no threads; that of wasi-sdk 25 has.
    if want pthreads; then
        if [ -d "${WASI_THREADS_SYSROOT:-}/lib/wasm32-wasip1-threads" ]; then
            lib=$("$zig" -c 'import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), "lib"))')
            include=$WASI_THREADS_SYSROOT/include/wasm32-wasip1-threads
            libc=$WASI_THREADS_SYSROOT/lib/wasm32-wasip1-threads
            (cd "$work" && "$zig" -m ziglang build-obj -OReleaseSmall -target wasm32-freestanding \
                -mcpu generic+atomics+bulk_memory --name compiler_rt "$lib/compiler_rt.zig")
            "$zig" -m ziglang clang --target=wasm32-wasip1-threads -pthread -O2 -nostdinc -isystem "$include" \
                -isystem "$lib/include" -c pthreads.c -o "$work/pthreads.o"
            "$zig" -m ziglang wasm-ld --shared-memory --import-memory --export-memory --max-memory=1073741824 -s \
                "$libc/crt1-command.o" "$work/pthreads.o" "$libc/libc.a" "$work/compiler_rt.o" -o pthreads.wasm
            chmod 644 pthreads.wasm
            rm "$work/pthreads.o" "$work/compiler_rt.o"
            built pthreads.wasm
        else
            skip pthreads "WASI_THREADS_SYSROOT names no sysroot with wasm32-wasip1-threads"
        fi
    fi
    for name in trap deep; do
        c_guest "$name" -O1 -g
        if want "$name"; then keep_names "$name.wasm"; fi
    done

    # The C++ runtime that ziglang ships is built without exceptions, but its sources are there: build the parts
    # that throw and catch, in the standard encoding (try_table, throw_ref), and define the tag they share.
    if want throw; then
        lib=$("$zig" -c 'import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), "lib"))')
        eh=(-Oz -w -fwasm-exceptions -mexception-handling -Xclang -exception-model=wasm
            -mllvm -wasm-enable-eh -mllvm -wasm-use-legacy-eh=false)
        for part in cxa_exception cxa_personality; do
            cxx "${eh[@]}" -std=c++23 -D_LIBCPP_BUILDING_LIBRARY -D_LIBCXXABI_BUILDING_LIBRARY \
                -D_LIBCXXABI_HAS_NO_THREADS -I"$lib/libcxx/src" -I"$lib/libcxxabi/include" -I"$lib/libcxxabi/src" \
                -I"$lib/libunwind/include" -c "$lib/libcxxabi/src/$part.cpp" -o "$work/$part.o"
        done
        cc "${eh[@]}" -D_LIBUNWIND_HIDE_SYMBOLS -I"$lib/libunwind/include" \
            -c "$lib/libunwind/src/Unwind-wasm.c" -o "$work/unwind.o"
        printf '    .tagtype __cpp_exception i32\n    .globl __cpp_exception\n__cpp_exception:\n' >"$work/tag.S"
        cc "${eh[@]}" -c "$work/tag.S" -o "$work/tag.o"
        cxx "${eh[@]}" -s throw.cpp "$work"/*.o -o throw.wasm
        chmod 644 throw.wasm
        built throw.wasm
    fi
else
    skip "C and C++ guests" "no virtual environment, or ziglang could not be installed"
fi

debian_rustc=/usr/bin/rustc
linker=/usr/bin/lld-14
rust=(--edition 2021 -C "linker=$linker" -C linker-flavor=wasm-ld -C panic=abort -C codegen-units=1 -C strip=symbols
    --remap-path-prefix "$work=" --target wasm32-wasi)
if [ -x $debian_rustc ] && [ -x $linker ] && [ -d "$($debian_rustc --print sysroot)/lib/rustlib/wasm32-wasi" ]; then
    if want rust_hello; then
        $debian_rustc "${rust[@]}" -C opt-level=z -C lto rust_hello.rs -o rust_hello.wasm
        chmod 644 rust_hello.wasm
        built rust_hello.wasm
    fi
    if want coremark; then
        mkdir -p "$work/fetch/src"
        printf '[package]\nname="fetch"\nversion="0.0.0"\nedition="2021"\n[dependencies]\ncoremark={version="=1.0.0",default-features=false}\n' \
            >"$work/fetch/Cargo.toml"
        touch "$work/fetch/src/lib.rs"
        if (cd "$work/fetch" && cargo vendor --quiet vendor >/dev/null); then
            source=$work/fetch/vendor/coremark/src
            # Debian's compiler is older than `size_of` in the prelude.
            sed -i 's/\bsize_of::</std::mem::size_of::</g' "$source/types.rs"
            COREMARK_RUSTC_VERSION=1.63 COREMARK_PROFILE=release COREMARK_TARGET=wasm32-wasi \
                $debian_rustc "${rust[@]}" --crate-type rlib --crate-name coremark -O "$source/lib.rs" \
                -o "$work/libcoremark.rlib"
            $debian_rustc "${rust[@]}" -O -C lto --extern "coremark=$work/libcoremark.rlib" coremark.rs -o coremark.wasm
            chmod 644 coremark.wasm
            built coremark.wasm
        else
            skip coremark "cargo could not fetch the crate coremark"
        fi
    fi
else
    skip "Rust guests" "wants Debian's packages rustc, libstd-rust-dev-wasm32 and lld-14"
fi

echo "done in $guests"
