;; A copy of a small constant size is loads and then stores, not a call.
;;! func 0: instructions, optimised
;;! func 0, checked: optimised
(module
  (memory 1)
  (func (param i32 i32)
    (memory.copy (local.get 0) (local.get 1) (i32.const 24))))
;; == func 0: instructions
;;   @0   enter, 3 slots
;;   @2   t0 = l0; t1 = l1
;;   @4   t2 = 24
;;   @6   memory.copy 0, 0, t0, t1, t2
;;   @11  return
;; == func 0: optimised
;;   function u0:0(i64 vmctx, i32, i32) tail {
;;       region0 = 0 "memory"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32, v2: i32):
;;       v7 = load.i64 notrap aligned readonly can_move v0
;;       v5 = uextend.i64 v2
;;       v8 = iadd v7, v5
;;       v11 = load.i8x16 MemoryOutOfBounds little region0 v8
;;       v12 = load.i64 MemoryOutOfBounds little region0 v8+16
;;       v4 = uextend.i64 v1
;;       v10 = iadd v7, v4
;;       store MemoryOutOfBounds little region0 v12, v10+16
;;       store MemoryOutOfBounds little region0 v11, v10
;;       jump block1
;;   block1:
;;       return
;;   }
;; == func 0, checked: optimised
;;   function u0:0(i64 vmctx, i32, i32) tail {
;;       region0 = 0 "memory"
;;       region1 = 3 "vm"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32, v2: i32):
;;       v8 = load.i64 notrap aligned readonly can_move v0+memory0
;;       v9 = load.i64 notrap aligned region1 v8+8
;;       v5 = uextend.i64 v2
;;       v27 = iconst.i64 24
;;       v10 = iadd v5, v27
;;       v11 = icmp ugt v10, v9
;;       trapnz v11, MemoryOutOfBounds
;;       v13 = load.i64 notrap aligned region1 v8
;;       v4 = uextend.i64 v1
;;       v19 = iadd v4, v27
;;       v20 = icmp ugt v19, v9
;;       trapnz v20, MemoryOutOfBounds
;;       v14 = iadd v13, v5
;;       v25 = load.i8x16 notrap little region0 v14
;;       v26 = load.i64 notrap little region0 v14+16
;;       v23 = iadd v13, v4
;;       store notrap little region0 v26, v23+16
;;       store notrap little region0 v25, v23
;;       jump block1
;;   block1:
;;       return
;;   }
