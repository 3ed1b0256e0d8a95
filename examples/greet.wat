;; A component that greets each of its arguments: `wasmr run examples/greet.wat Ada Grace`.
;; Compilers write such components; this one shows the parts: imported interfaces, core modules, and the functions between them.
(component
  (import "wasi:cli/environment@0.2.0" (instance $environment
    (export "get-arguments" (func (result (list string))))))
  (import "wasi:io/error@0.2.0" (instance $io-error (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error (type $outer))
    (export "error" (type $error (eq $outer)))
    (export "output-stream" (type $output-stream (sub resource)))
    (type $failure (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $failure)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $output-stream)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output-stream))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output-stream (type $outer))
    (export "output-stream" (type $own (eq $outer)))
    (export "get-stdout" (func (result (own $own))))))

  ;; The memory is in a module of its own, because the imports of $Main need it before $Main is instantiated.
  (core module $Memory
    (memory (export "memory") 1)
    (data (i32.const 0) "hello, ")
    (data (i32.const 7) "\n")
    (global $free (mut i32) (i32.const 1024))
    ;; Allocates memory for arguments and results. Nothing is freed.
    (func (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
      (global.set $free (i32.and
        (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
      (global.get $free)
      (global.set $free (i32.add (global.get $free) (local.get $size)))))
  (core instance $memory (instantiate $Memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $get-arguments (canon lower (func $environment "get-arguments") (memory $mem) (realloc $realloc)))
  (core func $get-stdout (canon lower (func $stdout "get-stdout")))
  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush") (memory $mem)))

  (core module $Main
    (import "memory" "memory" (memory 1))
    (import "wasi" "get-arguments" (func $get-arguments (param i32)))
    (import "wasi" "get-stdout" (func $get-stdout (result i32)))
    (import "wasi" "write" (func $write (param i32 i32 i32 i32)))
    ;; Returns 0 for `ok` and 1 for `error`.
    (func (export "run") (result i32) (local $stdout i32) (local $argument i32) (local $end i32)
      (local.set $stdout (call $get-stdout))
      ;; The list is at 16: its address, and the number of its strings. The first is the name of the program.
      (call $get-arguments (i32.const 16))
      (local.set $argument (i32.load (i32.const 16)))
      (local.set $end (i32.add (local.get $argument) (i32.shl (i32.load (i32.const 20)) (i32.const 3))))
      (loop $next
        (local.set $argument (i32.add (local.get $argument) (i32.const 8)))
        (if (i32.lt_u (local.get $argument) (local.get $end))
          (then
            (if (call $print (local.get $stdout) (i32.const 0) (i32.const 7)) (then (return (i32.const 1))))
            (if (call $print (local.get $stdout) (i32.load (local.get $argument)) (i32.load offset=4 (local.get $argument)))
              (then (return (i32.const 1))))
            (if (call $print (local.get $stdout) (i32.const 7) (i32.const 1)) (then (return (i32.const 1))))
            (br $next))))
      (i32.const 0))
    ;; Writes text. The result of the write is at 32, with 1 for an error.
    (func $print (param $stdout i32) (param $at i32) (param $len i32) (result i32)
      (call $write (local.get $stdout) (local.get $at) (local.get $len) (i32.const 32))
      (i32.load8_u (i32.const 32))))
  (core instance $main (instantiate $Main
    (with "memory" (instance $memory))
    (with "wasi" (instance
      (export "get-arguments" (func $get-arguments))
      (export "get-stdout" (func $get-stdout))
      (export "write" (func $write))))))

  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $program (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $program)))
