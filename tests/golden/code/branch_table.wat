;; `br_table` is one instruction in both tiers.
;;! func 0: instructions, clif
(module
  (func (param i32) (result i32)
    (block $other
      (block $one
        (block $zero
          (br_table $zero $one $other (local.get 0)))
        (return (i32.const 10)))
      (return (i32.const 20)))
    (i32.const 30)))
;; == func 0: instructions
;;   @0   enter, 1 slot
;;   @2   br_table l0 to @7 @9 @11
;;   @7   return 10
;;   @9   return 20
;;   @11  return 30
;; == func 0: clif
;;   function u0:0(i64 vmctx, i32) -> i32 tail {
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       br_table v1, block2, [block4, block3]
;;   block4:
;;       v3 = iconst.i32 10
;;       jump block1(v3)
;;   block3:
;;       v4 = iconst.i32 20
;;       jump block1(v4)
;;   block2:
;;       v5 = iconst.i32 30
;;       jump block1(v5)
;;   block1(v2: i32):
;;       return v2
;;   }
