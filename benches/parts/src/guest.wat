;; What the benches execute. Every export takes a number of rounds and gives a result that depends on all of them.
(module
  (import "host" "add" (func $host_add (param i32 i32) (result i32)))
  (memory 2)
  (table 8 funcref)
  (elem (i32.const 0) $inc $dec $inc $inc $dec $inc $dec $dec)
  (type $unary (func (param i32) (result i32)))

  (func $nop (export "nop") (param i32) (result i32) (local.get 0))
  (func $inc (param i32) (result i32) (i32.add (local.get 0) (i32.const 3)))
  (func $dec (param i32) (result i32) (i32.sub (local.get 0) (i32.const 1)))

  (func (export "host_calls") (param $n i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (call $host_add (local.get $sum) (local.get $n)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  (func (export "calls") (param $n i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (call $inc (local.get $sum)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  (func (export "indirect_calls") (param $n i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum
        (call_indirect (type $unary) (local.get $sum) (i32.and (local.get $n) (i32.const 7))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  (func $fib (export "fib") (param $n i32) (result i32)
    (if (result i32) (i32.lt_s (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else (i32.add
        (call $fib (i32.sub (local.get $n) (i32.const 1)))
        (call $fib (i32.sub (local.get $n) (i32.const 2)))))))

  ;; xorshift: integer arithmetic without memory
  (func (export "integers") (param $n i32) (result i32) (local $x i64)
    (local.set $x (i64.const 88172645463325252))
    (loop $again
      (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 13))))
      (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 7))))
      (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 17))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.wrap_i64 (local.get $x)))

  ;; the logistic map: floating point in a chain
  (func (export "floats") (param $n i32) (result i32) (local $x f64)
    (local.set $x (f64.const 0.3))
    (loop $again
      (local.set $x
        (f64.mul (f64.mul (f64.const 3.9) (local.get $x)) (f64.sub (f64.const 1) (local.get $x))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.trunc_f64_s (f64.mul (local.get $x) (f64.const 1e9))))

  ;; counts bytes into a table of sums: dependent loads and stores
  (func (export "memory") (param $n i32) (result i32) (local $at i32)
    (loop $again
      (local.set $at (i32.and (i32.mul (local.get $n) (i32.const 2654435761)) (i32.const 0xfffc)))
      (i32.store offset=65536 (local.get $at)
        (i32.add (i32.load offset=65536 (local.get $at)) (i32.add (local.get $n) (i32.load8_u (local.get $at)))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.load offset=65536 (local.get $at)))

  ;; a jump table, taken in an order that is hard to guess
  (func (export "branches") (param $n i32) (result i32) (local $x i32)
    (local.set $x (i32.const 1))
    (loop $again
      (block $done
        (block $d (block $c (block $b (block $a
          (br_table $a $b $c $d (i32.and (i32.shr_u (local.get $x) (i32.const 9)) (i32.const 3))))
          (local.set $x (i32.add (local.get $x) (i32.const 12345))) (br $done))
          (local.set $x (i32.mul (local.get $x) (i32.const 1664525))) (br $done))
          (local.set $x (i32.xor (local.get $x) (i32.rotl (local.get $x) (i32.const 5)))) (br $done))
        (local.set $x (i32.sub (i32.const 777777777) (local.get $x))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $x)))
