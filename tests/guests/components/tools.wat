;; The one import of the sandboxes for Python and JavaScript that is no part of WASI: hyperlight:sandbox/tools, for --plug. Its tool
;; `echo` answers with its arguments, which are JSON. Every other name is an error.
(component
  (core module $tools
    (memory (export "memory") 1)
    (data (i32.const 0) "there is no such tool")
    ;; The result of a call is at 32: case, address, length. Arguments lie one behind the other from 64 on.
    (global $free (mut i32) (i32.const 64))
    (func (export "realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (global.get $free))
      (global.set $free (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
    (func (export "dispatch") (param $name i32) (param $name_length i32) (param $arguments i32) (param $length i32) (result i32)
      (if (i32.and
            (i32.eq (local.get $name_length) (i32.const 4))
            (i32.eq (i32.load (local.get $name)) (i32.const 0x6f686365))) ;; "echo"
        (then
          (i32.store (i32.const 32) (i32.const 0))
          (i32.store (i32.const 36) (local.get $arguments))
          (i32.store (i32.const 40) (local.get $length)))
        (else
          (i32.store (i32.const 32) (i32.const 1))
          (i32.store (i32.const 36) (i32.const 0))
          (i32.store (i32.const 40) (i32.const 21))))
      (i32.const 32))
    (func (export "forget") (param $result i32)
      (global.set $free (i32.const 64))))
  (core instance $tools (instantiate $tools))
  (func $dispatch (param "name" string) (param "args-json" string) (result (result string (error string)))
    (canon lift (core func $tools "dispatch") (memory (core memory $tools "memory"))
      (realloc (core func $tools "realloc")) (post-return (core func $tools "forget"))))
  (instance $interface (export "dispatch" (func $dispatch)))
  (export "hyperlight:sandbox/tools" (instance $interface)))
