;; A module without struct and array types had no address of the heap. Compiled code read the length of null at address 4, which
;; the fault handler took for a bug of the runtime, and the process aborted.
(module
  (func (export "traps: null array reference") (result i32)
    (array.len (ref.null array)))
  (func (export "null is no struct") (result i32)
    (i32.eqz (ref.test (ref struct) (ref.null any)))))
