;; An access to a guard-paged memory has no check. One to another memory has one comparison, and so has each access with a
;; 64-bit address. The offset is folded in.
;;! func 0: instructions, optimised
;;! func 0, checked: instructions, optimised
;;! func 1: instructions, optimised
(module
  (memory 1)
  (memory $large i64 1)
  (func (param i32) (result i32)
    (i32.load offset=16 (local.get 0)))
  (func (param i64) (result i32)
    (i32.load $large offset=16 (local.get 0))))
;; == func 0: instructions
;;   @0   enter, 1 slot
;;   @2   acc = i32.load [l0 + 16]
;;   @4   return acc
;; == func 0: optimised
;;   function u0:0(i64 vmctx, i32) -> i32 tail {
;;       region0 = 0 "memory"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       v4 = load.i64 notrap aligned readonly can_move v0
;;       v3 = uextend.i64 v1
;;       v5 = iadd v4, v3
;;       v6 = load.i32 MemoryOutOfBounds little region0 v5+16
;;       jump block1
;;   block1:
;;       return v6
;;   }
;; == func 0, checked: instructions
;;   @0   enter, 1 slot
;;   @2   t0 = i32.load memory 0[l0 + 16]
;;   @5   return t0
;; == func 0, checked: optimised
;;   function u0:0(i64 vmctx, i32) -> i32 tail {
;;       region0 = 0 "memory"
;;       region1 = 3 "vm"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       v4 = load.i64 notrap aligned readonly can_move v0+memory0
;;       v5 = load.i64 notrap aligned region1 v4+8
;;       v3 = uextend.i64 v1
;;       v6 = iconst.i64 20
;;       v7 = iadd v3, v6
;;       v8 = icmp ugt v7, v5
;;       trapnz v8, MemoryOutOfBounds
;;       v10 = load.i64 notrap aligned region1 v4
;;       v11 = iadd v10, v3
;;       v12 = load.i32 notrap little region0 v11+16
;;       jump block1
;;   block1:
;;       return v12
;;   }
;; == func 1: instructions
;;   @0   enter, 1 slot
;;   @2   t0 = i32.load memory 1[l0 + 16]
;;   @5   return t0
;; == func 1: optimised
;;   function u0:0(i64 vmctx, i64) -> i32 tail {
;;       region0 = 0 "memory"
;;       region1 = 3 "vm"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i64):
;;       v3 = load.i64 notrap aligned readonly can_move v0+memory1
;;       v4 = load.i64 notrap aligned region1 v3+8
;;       v5 = iconst.i64 20
;;       v6 = uadd_overflow_trap v1, v5, MemoryOutOfBounds
;;       v7 = icmp ugt v6, v4
;;       trapnz v7, MemoryOutOfBounds
;;       v9 = load.i64 notrap aligned region1 v3
;;       v10 = iadd v9, v1
;;       v11 = load.i32 notrap little region0 v10+16
;;       jump block1
;;   block1:
;;       return v11
;;   }
