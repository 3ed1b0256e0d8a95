;; Operators that the runtime executes are one instruction of the interpreter and one call in compiled code.
;;! func 0: instructions, clif
;;! func 1: instructions, clif
(module
  (memory 1)
  (table $t 4 funcref)
  (func (param i32) (result i32)
    (memory.grow (local.get 0)))
  (func (param i32 i32 i32)
    (table.copy $t $t (local.get 0) (local.get 1) (local.get 2))))
;; == func 0: instructions
;;   @0   enter, 1 slots
;;   @2   t0 = memory.grow memory 0, l0
;;   @4   return t0
;; == func 0: clif
;;   function u0:0(i64 vmctx, i32) -> i32 tail {
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       sig0 = (i64, i32, i64) -> i64 system_v
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       v3 = uextend.i64 v1
;;       v4 = iconst.i32 0
;;       v5 = load.i64 notrap aligned readonly can_move v0+store
;;       v6 = load.i64 notrap aligned readonly can_move v5+native_helpers
;;       v7 = load.i64 notrap aligned readonly can_move v6+helper
;;       v8 = call_indirect sig0, v7(v0, v4, v3)
;;       v9 = ireduce.i32 v8
;;       jump block1(v9)
;;   block1(v2: i32):
;;       return v2
;;   }
;; == func 1: instructions
;;   @0   enter, 3 slots
;;   @2   t0 = l0; t1 = l1
;;   @4   t2 = l2
;;   @6   table.copy table 0, table 0, t0, t1, t2
;;   @9   return
;; == func 1: clif
;;   function u0:0(i64 vmctx, i32, i32, i32) tail {
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       sig0 = (i64, i32, i32, i64, i64, i64) system_v
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32, v2: i32, v3: i32):
;;       v4 = uextend.i64 v1
;;       v5 = uextend.i64 v2
;;       v6 = uextend.i64 v3
;;       v7 = iconst.i32 0
;;       v8 = iconst.i32 0
;;       v9 = load.i64 notrap aligned readonly can_move v0+store
;;       v10 = load.i64 notrap aligned readonly can_move v9+native_helpers
;;       v11 = load.i64 notrap aligned readonly can_move v10+helper
;;       call_indirect sig0, v11(v0, v7, v8, v4, v5, v6)
;;       v12 = load.i64 notrap aligned readonly can_move v0+store
;;       v13 = load.i64 notrap aligned readonly can_move v12+interrupt
;;       v14 = load.i8 notrap aligned v13
;;       trapnz v14, Interrupted
;;       jump block1
;;   block1:
;;       return
;;   }
