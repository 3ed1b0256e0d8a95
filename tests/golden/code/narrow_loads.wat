;; A load that extends what it reads is one instruction.
;;! func 0: optimised
;;! func 1: optimised
(module
  (memory 1)
  (func (param i32) (result i32 i32 i32 i32)
    (i32.load8_u (local.get 0)) (i32.load8_s (local.get 0)) (i32.load16_u (local.get 0)) (i32.load16_s (local.get 0)))
  (func (param i32) (result i64 i64 i64 i64 i64 i64)
    (i64.load8_u (local.get 0)) (i64.load8_s (local.get 0)) (i64.load16_u (local.get 0)) (i64.load16_s (local.get 0))
    (i64.load32_u (local.get 0)) (i64.load32_s (local.get 0))))
;; == func 0: optimised
;;   function u0:0(i64 vmctx, i32) -> i32, i32, i32, i32 tail {
;;       region0 = 0 "memory"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       v7 = load.i64 notrap aligned readonly can_move v0
;;       v6 = uextend.i64 v1
;;       v8 = iadd v7, v6
;;       v9 = uload8.i32 MemoryOutOfBounds little region0 v8
;;       v13 = sload8.i32 MemoryOutOfBounds little region0 v8
;;       v17 = uload16.i32 MemoryOutOfBounds little region0 v8
;;       v21 = sload16.i32 MemoryOutOfBounds little region0 v8
;;       jump block1
;;   block1:
;;       return v9, v13, v17, v21
;;   }
;; == func 1: optimised
;;   function u0:0(i64 vmctx, i32) -> i64, i64, i64, i64, i64, i64 tail {
;;       region0 = 0 "memory"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       v9 = load.i64 notrap aligned readonly can_move v0
;;       v8 = uextend.i64 v1
;;       v10 = iadd v9, v8
;;       v11 = uload8.i64 MemoryOutOfBounds little region0 v10
;;       v15 = sload8.i64 MemoryOutOfBounds little region0 v10
;;       v19 = uload16.i64 MemoryOutOfBounds little region0 v10
;;       v23 = sload16.i64 MemoryOutOfBounds little region0 v10
;;       v27 = uload32 MemoryOutOfBounds little region0 v10
;;       v31 = sload32 MemoryOutOfBounds little region0 v10
;;       jump block1
;;   block1:
;;       return v11, v15, v19, v23, v27, v31
;;   }
