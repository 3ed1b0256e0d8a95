;; A tail call leaves no frame behind: a jump in both tiers, also through a table.
;;! func 0: instructions, clif
;;! func 1: instructions, clif
(module
  (type $unary (func (param i32) (result i32)))
  (table 2 2 funcref)
  (func $down (param i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
    (return_call $down (i32.sub (local.get 0) (i32.const 1))))
  (func (param i32) (result i32)
    (return_call_indirect (type $unary) (local.get 0) (i32.const 1))))
;; == func 0: instructions
;;   @0   enter, 2 slots
;;   @2   br @6 if l0
;;   @4   return 7
;;   @6   t0 = i32.sub l0, 1
;;   @8   return_call func 0, 1 argument slots from t0
;; == func 0: clif
;;   function u0:0(i64 vmctx, i32) -> i32 tail {
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
;;       v6 = iconst.i32 7
;;       jump block1(v6)
;;   block3:
;;       jump block4
;;   block4:
;;       v7 = iconst.i32 1
;;       v8 = isub.i32 v1, v7
;;       return_call fn0(v0, v8)
;;   block1(v2: i32):
;;       return v2
;;   }
;; == func 1: instructions
;;   @0   enter, 2 slots
;;   @2   t1 = 1
;;   @4   t0 = l0
;;   @6   return_call_indirect table 0[t1] (type 0), 1 argument slots from t0
;; == func 1: clif
;;   function u0:0(i64 vmctx, i32) -> i32 tail {
;;       region0 = 2 "table"
;;       region1 = 3 "vm"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       sig0 = (i64 vmctx, i32) -> i32 tail
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       v3 = iconst.i32 1
;;       v4 = uextend.i64 v3
;;       v5 = load.i64 notrap aligned readonly can_move v0+table0
;;       v6 = load.i64 notrap aligned readonly can_move v5
;;       v7 = iconst.i64 2
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
;;       return_call_indirect sig0, v17(v18, v1)
;;   }
