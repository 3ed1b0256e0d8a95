;; The same sum of the same two NaNs had other bits from one round to the next, when compiled code took the function over: the
;; interpreter gave the second one's payload, compiled code the first one's. Likewise if an operand was loaded from memory, and
;; for a product of negated factors.
(module
  (memory 1)
  (global $a (mut i32) (i32.const 0x7fc00001))
  (global $b (mut i32) (i32.const 0xffc00002))

  (func $add (result i32)
    (i32.reinterpret_f32
      (f32.add (f32.reinterpret_i32 (global.get $a)) (f32.reinterpret_i32 (global.get $b)))))
  (func $add_loaded (result i32)
    (i32.reinterpret_f32 (f32.add (f32.load (i32.const 0)) (f32.reinterpret_i32 (global.get $b)))))
  (func $multiply_negated (result i32)
    (i32.reinterpret_f32
      (f32.mul (f32.neg (f32.reinterpret_i32 (global.get $a))) (f32.neg (f32.reinterpret_i32 (global.get $b))))))
  (func $larger (result i32)
    (i32.reinterpret_f32
      (f32.max (f32.reinterpret_i32 (global.get $a)) (f32.reinterpret_i32 (global.get $b)))))

  (func (export "the bits stay the same in all rounds") (result i32)
    (local $rounds i32) (local $add i32) (local $loaded i32) (local $product i32) (local $larger i32)
    (i32.store (i32.const 0) (global.get $a))
    (local.set $add (call $add))
    (local.set $loaded (call $add_loaded))
    (local.set $product (call $multiply_negated))
    (local.set $larger (call $larger))
    (loop $again
      (if (i32.or
            (i32.or (i32.ne (call $add) (local.get $add)) (i32.ne (call $add_loaded) (local.get $loaded)))
            (i32.or (i32.ne (call $multiply_negated) (local.get $product)) (i32.ne (call $larger) (local.get $larger))))
        (then (return (i32.const 0))))
      (local.set $rounds (i32.add (local.get $rounds) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $rounds) (i32.const 300000))))
    (i32.const 1))
)
