;; Two globals, the memory and the table are different alias regions: a store to one leaves what was loaded from the others.
;; In all functions but the last the second load is gone; there it is of the same region as the store.
;;! func 0: optimised
;;! func 1: optimised
;;! func 2: optimised
;;! func 3: optimised
(module
  (memory 1)
  (table 4 4 externref)
  (global $a (mut i32) (i32.const 0))
  (global $b (mut i32) (i32.const 0))
  (func (param i32) (result i32)
    (global.get $a)
    (global.set $b (local.get 0))
    (i32.store (i32.const 8) (local.get 0))
    (i32.add (global.get $a)))
  (func (param i32) (result i32)
    (i32.load (i32.const 8))
    (global.set $a (local.get 0))
    (table.set (i32.const 0) (ref.null extern))
    (i32.add (i32.load (i32.const 8))))
  (func (param i32) (result externref externref)
    (table.get (i32.const 1))
    (i32.store (i32.const 8) (local.get 0))
    (table.get (i32.const 1)))
  (func (param i32) (result i32)
    (i32.load (i32.const 8))
    (i32.store (local.get 0) (i32.const 1))
    (i32.add (i32.load (i32.const 8)))))
;; == func 0: optimised
;;   function u0:0(i64 vmctx, i32) -> i32 tail {
;;       region0 = 7 "global"
;;       region1 = 8 "global"
;;       region2 = 0 "memory"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       v3 = load.i64 notrap aligned region0 v0+global0
;;       v5 = uextend.i64 v1
;;       store notrap aligned region1 v5, v0+global1
;;       v8 = load.i64 notrap aligned readonly can_move v0
;;       v13 = iconst.i64 8
;;       v9 = iadd v8, v13
;;       store MemoryOutOfBounds little region2 v1, v9
;;       jump block1
;;   block1:
;;       v4 = ireduce.i32 v3
;;       v12 = iadd v4, v4
;;       return v12
;;   }
;; == func 1: optimised
;;   function u0:0(i64 vmctx, i32) -> i32 tail {
;;       region0 = 0 "memory"
;;       region1 = 7 "global"
;;       region2 = 2 "table"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       v5 = load.i64 notrap aligned readonly can_move v0
;;       v25 = iconst.i64 8
;;       v6 = iadd v5, v25
;;       v7 = load.i32 MemoryOutOfBounds little region0 v6
;;       v8 = uextend.i64 v1
;;       store notrap aligned region1 v8, v0+global0
;;       v10 = iconst.i64 0
;;       v12 = load.i64 notrap aligned readonly can_move v0+table0
;;       v13 = load.i64 notrap aligned readonly can_move v12
;;       store notrap aligned region2 v10, v13
;;       jump block1
;;   block1:
;;       v24 = iadd.i32 v7, v7
;;       return v24
;;   }
;; == func 2: optimised
;;   function u0:0(i64 vmctx, i32) -> i64, i64 tail {
;;       region0 = 2 "table"
;;       region1 = 0 "memory"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       v6 = load.i64 notrap aligned readonly can_move v0+table0
;;       v7 = load.i64 notrap aligned readonly can_move v6
;;       v35 = iconst.i64 8
;;       v12 = iadd v7, v35
;;       v13 = load.i64 notrap aligned region0 v12
;;       v16 = load.i64 notrap aligned readonly can_move v0
;;       v17 = iadd v16, v35
;;       store MemoryOutOfBounds little region1 v1, v17
;;       jump block1
;;   block1:
;;       return v13, v13
;;   }
;; == func 3: optimised
;;   function u0:0(i64 vmctx, i32) -> i32 tail {
;;       region0 = 0 "memory"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       v5 = load.i64 notrap aligned readonly can_move v0
;;       v18 = iconst.i64 8
;;       v6 = iadd v5, v18
;;       v7 = load.i32 MemoryOutOfBounds little region0 v6
;;       v8 = iconst.i32 1
;;       v9 = uextend.i64 v1
;;       v11 = iadd v5, v9
;;       store MemoryOutOfBounds little region0 v8, v11
;;       v16 = load.i32 MemoryOutOfBounds little region0 v6
;;       jump block1
;;   block1:
;;       v17 = iadd.i32 v7, v16
;;       return v17
;;   }
