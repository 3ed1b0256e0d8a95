;; The program that docs/tiers.md follows through the tiers:
;;
;;     wasmr run --invoke main examples/sum.wat
;;     wasmr explore --func sum examples/sum.wat
(module
  ;; Returns 1 + 2 + … + n.
  (func $sum (param $n i32) (result i32) (local $total i32)
    (loop $next
      (local.set $total (i32.add (local.get $total) (local.get $n)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $total))
  (func $main (export "main") (result i32)
    (call $sum (i32.const 1000))))
