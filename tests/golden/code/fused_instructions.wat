;; The interpreter does in one instruction: a comparison and its branch, a load and the addition of its address, the end of a
;; counted loop.
;;! func 0: instructions
;;! func 1: instructions
;;! func 2: instructions
(module
  (memory 1)
  (func (param i32 i32) (result i32)
    (if (i32.lt_u (local.get 0) (local.get 1)) (then (return (local.get 0))))
    (i32.add (local.get 1) (i32.const 1)))
  (func (param $array i32) (param $index i32) (result i32)
    (i32.load (i32.add (local.get $array) (local.get $index))))
  (func (param $count i32) (result i32) (local $i i32) (local $product i32)
    (loop $next
      (local.set $product (i32.mul (local.get $product) (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $count))))
    (local.get $product)))
;; == func 0: instructions
;;   @0   enter, 2 slots
;;   @2   br @6 unless i32.lt_u l0, l1
;;   @4   return l0
;;   @6   acc = i32.add l1, 1
;;   @8   return acc
;; == func 1: instructions
;;   @0   enter, 2 slots
;;   @2   acc = i32.load [l0 + l1 + 0]
;;   @4   return acc
;; == func 2: instructions
;;   @0   enter, 4 slots, 2 to zero
;;   @2   l2 = i32.mul l2, l1
;;   @4   l1 = i32.add l1, 1; br @2 if i32.lt_u l1, l0
;;   @7   return l2
