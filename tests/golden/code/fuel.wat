;; Metered code pays for a block of operators at once, at its beginning.
;;! func 0, metered: instructions, clif
(module
  (memory 1)
  (func (param i32)
    (loop $next
      (i32.store (local.get 0) (i32.mul (local.get 0) (i32.const 3)))
      (br_if $next (local.tee 0 (i32.sub (local.get 0) (i32.const 4)))))))
;; == func 0, metered: instructions
;;   @0   enter, 3 slots
;;   @2   charge 10
;;   @4   acc = i32.mul l0, 3
;;   @6   i32.store [l0 + 0], acc
;;   @8   l0 = i32.add l0, -4; br @2 if i32.ne l0, 0
;;   @11  return
;; == func 0, metered: clif
;;   function u0:0(i64 vmctx, i32) tail {
;;       region0 = 3 "vm"
;;       region1 = 0 "memory"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       jump block2(v1)
;;   block2(v9: i32):
;;       v2 = iconst.i64 10
;;       v3 = load.i64 notrap aligned readonly can_move v0+store
;;       v4 = load.i64 notrap aligned region0 v3+fuel
;;       v5 = icmp ult v4, v2
;;       v6 = isub v4, v2
;;       v7 = iconst.i64 0
;;       v8 = select v5, v7, v6
;;       store notrap aligned region0 v8, v3+fuel
;;       trapnz v5, OutOfFuel
;;       v10 = iconst.i32 3
;;       v11 = imul v9, v10
;;       v12 = uextend.i64 v9
;;       v13 = load.i64 notrap aligned readonly can_move v0
;;       v14 = iadd v13, v12
;;       store MemoryOutOfBounds little region1 v11, v14
;;       v15 = iconst.i32 4
;;       v16 = isub v9, v15
;;       brif v16, block2(v16), block4
;;   block4:
;;       jump block3
;;   block3:
;;       jump block1
;;   block1:
;;       return
;;   }
