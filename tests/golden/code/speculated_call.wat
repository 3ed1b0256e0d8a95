;; An indirect call that the profile saw go to two functions compares with both and inlines them. Without a profile it checks
;; the type and calls through the table.
;;! func 0: instructions, clif
;;! func 0, called 1 2: clif
(module
  (type $unary (func (param i32) (result i32)))
  (table 8 8 funcref)
  (elem (i32.const 0) $double $negate)
  (func (param i32 i32) (result i32)
    (call_indirect (type $unary) (local.get 1) (local.get 0)))
  (func $double (type $unary)
    (i32.shl (local.get 0) (i32.const 1)))
  (func $negate (type $unary)
    (i32.sub (i32.const 0) (local.get 0))))
;; == func 0: instructions
;;   @0   enter, 2 slots
;;   @2   t0 = l1
;;   @4   call_indirect table 0[l0] (type 0), its frame at t5
;;   @7   return acc
;; == func 0: clif
;;   function u0:0(i64 vmctx, i32, i32) -> i32 tail {
;;       ss0 = explicit_slot 14, align = 8
;;       region0 = 2 "table"
;;       region1 = 3 "vm"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       sig0 = (i64 vmctx, i32) -> i32 tail
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32, v2: i32):
;;       v4 = uextend.i64 v1
;;       v5 = load.i64 notrap aligned readonly can_move v0+table0
;;       v6 = load.i64 notrap aligned readonly can_move v5
;;       v7 = iconst.i64 8
;;       v8 = icmp uge v4, v7
;;       trapnz v8, UndefinedElement
;;       v9 = iconst.i64 3
;;       v10 = ishl v4, v9
;;       v11 = iadd v6, v10
;;       v12 = load.i64 notrap aligned region0 v11
;;       v13 = load.i32 UninitializedElement aligned region1 v12+24
;;       v14 = iconst.i32 0
;;       v15 = icmp ne v13, v14
;;       trapnz v15, IndirectCallTypeMismatch
;;       v16 = load.i64 notrap aligned readonly can_move v0+store
;;       store notrap aligned region1 v0, v16+caller
;;       v17 = load.i64 notrap aligned region1 v12+48
;;       v18 = load.i64 notrap aligned region1 v12+56
;;       v19 = call_indirect sig0, v17(v18, v2)
;;       jump block1(v19)
;;   block1(v3: i32):
;;       return v3
;;   }
;; == func 0, called 1 2: clif
;;   function u0:0(i64 vmctx, i32, i32) -> i32 tail {
;;       ss0 = explicit_slot 14, align = 8
;;       region0 = 2 "table"
;;       region1 = 3 "vm"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       sig0 = (i64 vmctx, i32) -> i32 tail
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32, v2: i32):
;;       v4 = uextend.i64 v1
;;       v5 = load.i64 notrap aligned readonly can_move v0+table0
;;       v6 = load.i64 notrap aligned readonly can_move v5
;;       v7 = iconst.i64 8
;;       v8 = icmp uge v4, v7
;;       trapnz v8, UndefinedElement
;;       v9 = iconst.i64 3
;;       v10 = ishl v4, v9
;;       v11 = iadd v6, v10
;;       v12 = load.i64 notrap aligned region0 v11
;;       v14 = iconst.i64 func1
;;       v15 = iadd v0, v14
;;       v16 = icmp eq v12, v15
;;       brif v16, block3, block4
;;   block3:
;;       v18 = iconst.i32 1
;;       v19 = ishl.i32 v2, v18
;;       jump block5(v19)
;;   block5(v17: i32):
;;       jump block2(v17)
;;   block4:
;;       v20 = iconst.i64 func2
;;       v21 = iadd.i64 v0, v20
;;       v22 = icmp.i64 eq v12, v21
;;       brif v22, block6, block7
;;   block6:
;;       v24 = iconst.i32 0
;;       v25 = isub v24, v2
;;       jump block8(v25)
;;   block8(v23: i32):
;;       jump block2(v23)
;;   block7 cold:
;;       v26 = load.i32 UninitializedElement aligned region1 v12+24
;;       v27 = iconst.i32 0
;;       v28 = icmp ne v26, v27
;;       trapnz v28, IndirectCallTypeMismatch
;;       v29 = load.i64 notrap aligned readonly can_move v0+store
;;       store.i64 notrap aligned region1 v0, v29+caller
;;       v30 = load.i64 notrap aligned region1 v12+48
;;       v31 = load.i64 notrap aligned region1 v12+56
;;       v32 = call_indirect sig0, v30(v31, v2)
;;       jump block2(v32)
;;   block2(v13: i32):
;;       jump block1(v13)
;;   block1(v3: i32):
;;       return v3
;;   }
