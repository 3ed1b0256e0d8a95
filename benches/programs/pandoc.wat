;; Makes a command of the pandoc library: `pandoc.wasm +RTS -H64m -RTS OPTIONS`. OPTIONS is the JSON of a defaults file, with
;; paths below the first directory that is granted. All arguments go to Haskell's runtime as well.
;;
;; `convert` writes the document into the file `stdout` of that directory. The driver copies the file to standard output.
;; `wasmr run --preload pandoc=libpandoc.wasm` runs the library as it is. benches/build-programs.sh merges this module with the
;; library, so that any runtime can run the two as one module.
(module
  (type $call_2 (func (param i32 i32) (result i32)))
  (type $call_4 (func (param i32 i32 i32 i32) (result i32)))
  (type $call_open (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (type $call_2)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (type $call_2)))
  (import "wasi_snapshot_preview1" "path_open" (func $path_open (type $call_open)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (type $call_4)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (type $call_4)))
  (memory (export "memory") (import "pandoc" "memory") 1)
  (import "pandoc" "__wasm_call_ctors" (func $constructors))
  (import "pandoc" "malloc" (func $malloc (param i32) (result i32)))
  (import "pandoc" "hs_init_with_rtsopts" (func $hs_init (param i32 i32)))
  (import "pandoc" "convert" (func $convert (param i32 i32)))

  ;; Stops with a trap if a system call failed.
  (func $check (param $errno i32)
    (if (local.get $errno) (then unreachable)))

  (func (export "_start")
    (local $work i32) (local $argc i32) (local $argv i32) (local $text i32) (local $options i32) (local $len i32) (local $fd i32)
    (call $constructors)

    ;; Bytes of $work: 0 number of arguments or pointer of a buffer, 4 their size, 8 a result, 16 and on a buffer.
    (local.set $work (call $malloc (i32.const 65536)))
    (call $check (call $args_sizes_get (local.get $work) (i32.add (local.get $work) (i32.const 4))))
    (local.set $argc (i32.load (local.get $work)))
    (local.set $len (i32.load offset=4 (local.get $work)))
    (local.set $argv (call $malloc (i32.mul (i32.add (local.get $argc) (i32.const 1)) (i32.const 4))))
    (local.set $text (call $malloc (local.get $len)))
    (call $check (call $args_get (local.get $argv) (local.get $text)))
    (i32.store (i32.add (local.get $argv) (i32.mul (local.get $argc) (i32.const 4))) (i32.const 0))

    ;; The last argument, without its zero byte. `convert` frees the options, so they need a block of their own.
    (local.set $fd
      (i32.load (i32.add (local.get $argv) (i32.mul (i32.sub (local.get $argc) (i32.const 1)) (i32.const 4)))))
    (local.set $len (i32.sub (i32.sub (i32.add (local.get $text) (local.get $len)) (i32.const 1)) (local.get $fd)))
    (local.set $options (call $malloc (local.get $len)))
    (memory.copy (local.get $options) (local.get $fd) (local.get $len))

    (i32.store offset=4 (local.get $work) (local.get $argv))
    (call $hs_init (local.get $work) (i32.add (local.get $work) (i32.const 4)))
    (call $convert (local.get $options) (local.get $len))

    ;; The characters of "stdout", to open the file for reading.
    (i32.store (local.get $work) (i32.const 0x6f647473))
    (i32.store offset=4 (local.get $work) (i32.const 0x7475))
    (call $check
      (call $path_open
        (i32.const 3) (i32.const 0) (local.get $work) (i32.const 6) (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0)
        (i32.add (local.get $work) (i32.const 8))))
    (local.set $fd (i32.load offset=8 (local.get $work)))
    (loop $more
      (i32.store (local.get $work) (i32.add (local.get $work) (i32.const 16)))
      (i32.store offset=4 (local.get $work) (i32.const 65520))
      (call $check
        (call $fd_read (local.get $fd) (local.get $work) (i32.const 1) (i32.add (local.get $work) (i32.const 8))))
      (i32.store offset=4 (local.get $work) (i32.load offset=8 (local.get $work)))
      (if (i32.load offset=8 (local.get $work))
        (then
          (call $check
            (call $fd_write (i32.const 1) (local.get $work) (i32.const 1) (i32.add (local.get $work) (i32.const 8))))
          (br $more))))))
