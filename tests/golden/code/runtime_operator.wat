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
;;   @0   enter, 1 slot
;;   @2   t0 = l0
;;   @4   t0 = memory.grow 0, t0
;;   @8   return t0
;; == func 0: clif
;;   function u0:0(i64 vmctx, i32) -> i32 tail {
;;       ss0 = explicit_slot 8, align = 16, key = 1
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       sig0 = (i64, i32, i64, i64) system_v
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       v3 = stack_addr.i64 ss0
;;       v4 = uextend.i64 v1
;;       store notrap v4, v3
;;       v5 = iconst.i32 memory.grow
;;       v6 = iconst.i64 0
;;       v7 = load.i64 notrap aligned readonly can_move v0+store
;;       v8 = load.i64 notrap aligned readonly can_move v7+native_libcalls
;;       v9 = load.i64 notrap aligned readonly can_move v8+libcall
;;       call_indirect sig0, v9(v0, v5, v6, v3)
;;       v10 = load.i32 notrap v3
;;       jump block1(v10)
;;   block1(v2: i32):
;;       return v2
;;   }
;; == func 1: instructions
;;   @0   enter, 3 slots
;;   @2   t0 = l0; t1 = l1
;;   @4   t2 = l2
;;   @6   table.copy 0, 0, t0, t1, t2
;;   @10  return
;; == func 1: clif
;;   function u0:0(i64 vmctx, i32, i32, i32) tail {
;;       ss0 = explicit_slot 24, align = 16, key = 1
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       sig0 = (i64, i32, i64, i64) system_v
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32, v2: i32, v3: i32):
;;       v4 = stack_addr.i64 ss0
;;       v5 = uextend.i64 v1
;;       store notrap v5, v4
;;       v6 = uextend.i64 v2
;;       store notrap v6, v4+8
;;       v7 = uextend.i64 v3
;;       store notrap v7, v4+16
;;       v8 = iconst.i32 table.copy
;;       v9 = iconst.i64 0
;;       v10 = load.i64 notrap aligned readonly can_move v0+store
;;       v11 = load.i64 notrap aligned readonly can_move v10+native_libcalls
;;       v12 = load.i64 notrap aligned readonly can_move v11+libcall
;;       call_indirect sig0, v12(v0, v8, v9, v4)
;;       v13 = load.i64 notrap aligned readonly can_move v0+store
;;       v14 = load.i64 notrap aligned readonly can_move v13+interrupt
;;       v15 = load.i8 notrap aligned v14
;;       trapnz v15, Interrupted
;;       jump block1
;;   block1:
;;       return
;;   }
