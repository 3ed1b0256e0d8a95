;; A function that calls itself is inlined into itself twice. The innermost copy calls it directly.
;;! func 0: instructions, clif
(module
  (func $sum (param i32) (result i32)
    (if (result i32) (i32.eqz (local.get 0))
      (then (i32.const 0))
      (else (i32.add (local.get 0) (call $sum (i32.sub (local.get 0) (i32.const 1))))))))
;; == func 0: instructions
;;   @0   enter, 3 slots
;;   @2   br @8 if l0
;;   @4   t0 = 0
;;   @6   br @14
;;   @8   t1 = i32.sub l0, 1
;;   @10  call func 0, its frame at t6
;;   @12  t0 = i32.add l0, acc
;;   @14  return t0
;; == func 0: clif
;;   function u0:0(i64 vmctx, i32) -> i32 tail {
;;       ss0 = explicit_slot 92, align = 8
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       sig0 = (i64 vmctx, i32) -> i32 tail
;;       fn0 = colocated u0:0 sig0
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       v3 = iconst.i32 0
;;       v4 = icmp eq v1, v3
;;       v5 = uextend.i32 v4
;;       brif v5, block2, block3
;;   block2:
;;       v7 = iconst.i32 0
;;       jump block4(v7)
;;   block3:
;;       v8 = iconst.i32 1
;;       v9 = isub.i32 v1, v8
;;       v11 = iconst.i32 0
;;       v12 = icmp eq v9, v11
;;       v13 = uextend.i32 v12
;;       brif v13, block6, block7
;;   block6:
;;       v15 = iconst.i32 0
;;       jump block8(v15)
;;   block7:
;;       v16 = iconst.i32 1
;;       v17 = isub.i32 v9, v16
;;       v19 = iconst.i32 0
;;       v20 = icmp eq v17, v19
;;       v21 = uextend.i32 v20
;;       brif v21, block10, block11
;;   block10:
;;       v23 = iconst.i32 0
;;       jump block12(v23)
;;   block11:
;;       v24 = iconst.i32 1
;;       v25 = isub.i32 v17, v24
;;       v26 = call fn0(v0, v25)
;;       v27 = iadd.i32 v17, v26
;;       jump block12(v27)
;;   block12(v22: i32):
;;       jump block9(v22)
;;   block9(v18: i32):
;;       v28 = iadd.i32 v9, v18
;;       jump block8(v28)
;;   block8(v14: i32):
;;       jump block5(v14)
;;   block5(v10: i32):
;;       v29 = iadd.i32 v1, v10
;;       jump block4(v29)
;;   block4(v6: i32):
;;       jump block1(v6)
;;   block1(v2: i32):
;;       return v2
;;   }
