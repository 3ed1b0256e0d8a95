;; A constant too wide for a cell on the left of an operator that commutes, an operand in its canonical slot on the right.
;; The operands were exchanged without their heights, so that the constant was written over the other operand: the sum
;; was twice the constant. Found by the differential target.
(module
  (memory 1)
  (func $seven (result i64) (i64.const 7))
  (func (export "call") (result i32)
    (i64.eq
      (i64.add (i64.const -1420164028189355302) (call $seven))
      (i64.const -1420164028189355295)))
  (func (export "lane") (result i32)
    (i64.eq
      (i64.mul (i64.const -1420164028189355302) (i64x2.extract_lane 1 (v128.const i64x2 5 1)))
      (i64.const -1420164028189355302)))
  (func (export "load") (result i32)
    (i64.store (i32.const 8) (i64.const 3))
    (i64.eq
      (i64.xor (i64.const 0x7000000000000000) (i64.load (i32.const 8)))
      (i64.const 0x7000000000000003)))
  (func (export "not commuting") (result i32)
    (i64.eq
      (i64.sub (i64.const 0x7000000000000000) (call $seven))
      (i64.const 0x6ffffffffffffff9))))
