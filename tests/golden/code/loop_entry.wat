;; A function that is entered at its loop takes the live values from the interpreter's frame; what comes before the loop is not
;; compiled. With both entries, a frame in the instance says which one is meant.
;;! func 0, loop 0: instructions, optimised
;;! func 0, start or loop 0: optimised
(module
  (func (param $count i32) (result i64) (local $sum i64)
    (local.set $sum (i64.const 5))
    (loop $next
      (local.set $sum (i64.mul (local.get $sum) (i64.const 7)))
      (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
    (local.get $sum)))
;; == func 0, loop 0: instructions
;;   @0   enter, 3 slots, 1 to zero
;;   @2   l1 = 5
;;   @4   l1 = i64.mul l1, 7
;;   @6   l0 = i32.add l0, -1; br @4 if i32.ne l0, 0
;;   @9   return l1
;; == func 0, loop 0: optimised
;;   function u0:0(i64 vmctx, i64) -> i64 tail {
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i64):
;;       v6 = load.i32 notrap v1-40
;;       v7 = load.i64 notrap v1
;;       v12 = iconst.i32 1
;;       v9 = iconst.i64 7
;;       jump block3(v7, v6)
;;   block3(v8: i64, v11: i32):
;;       v14 = iconst.i32 1
;;       v15 = isub v11, v14
;;       v16 = iconst.i64 7
;;       v17 = imul v8, v16
;;       brif v15, block3(v17, v15), block5
;;   block5:
;;       jump block4
;;   block4:
;;       jump block2
;;   block2:
;;       return v17
;;   }
;; == func 0, start or loop 0: optimised
;;   function u0:0(i64 vmctx, i32) -> i64 tail {
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       v2 = load.i64 notrap aligned v0+loop_frame
;;       v13 = iconst.i32 1
;;       v10 = iconst.i64 7
;;       brif v2, block1, block2
;;   block2:
;;       v5 = iconst.i64 5
;;       jump block4(v5, v1)
;;   block1 cold:
;;       v3 = iconst.i64 0
;;       store notrap aligned v3, v0+loop_frame
;;       v7 = load.i32 notrap v2-40
;;       v8 = load.i64 notrap v2
;;       jump block4(v8, v7)
;;   block4(v9: i64, v12: i32):
;;       v15 = iconst.i32 1
;;       v16 = isub v12, v15
;;       v17 = iconst.i64 7
;;       v18 = imul v9, v17
;;       brif v16, block4(v18, v16), block6
;;   block6:
;;       jump block5
;;   block5:
;;       jump block3
;;   block3:
;;       return v18
;;   }
