;; A call within `try_table` is a `try_call` that names the handler's block; the interpreter has a region and no instruction.
;;! func 0: instructions, clif
(module
  (tag $failure (param i32))
  (import "" "work" (func $work (param i32) (result i32)))
  (func (param i32) (result i32)
    (block $caught (result i32)
      (return (try_table (result i32) (catch $failure $caught)
        (call $work (local.get 0)))))
    (i32.add (i32.const 1))))
;; == func 0: instructions
;;   @0   enter, 2 slots
;;   @2   t0 = l0
;;   @4   call func 0, its frame at t5
;;   @6   return t0
;;   @8   acc = i32.add t0, 1
;;   @10  return acc
;;   exceptions @2 up to @6: tag 0 to @8, values from t0
;; == func 0: clif
;;   function u0:0(i64 vmctx, i32) -> i32 tail {
;;       ss0 = explicit_slot 14, align = 8
;;       region0 = 3 "vm"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       sig0 = (i64 vmctx, i32) -> i32 tail
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       jump block3
;;   block4 cold:
;;       v4 = load.i64 notrap aligned readonly can_move v0+store
;;       v5 = load.i64 notrap aligned region0 v4+payload
;;       v6 = load.i32 notrap v5
;;       jump block2(v6)
;;   block3:
;;       v8 = load.i64 notrap aligned readonly can_move v0+store
;;       store.i64 notrap aligned region0 v0, v8+caller
;;       v9 = load.i64 notrap aligned readonly can_move v0+imported_func0
;;       v10 = load.i64 notrap aligned region0 v9+48
;;       v11 = load.i64 notrap aligned region0 v9+56
;;       try_call_indirect v10(v11, v1), sig0, block6(ret0), [ context v0, tag0: block4 ]
;;   block6(v12: i32):
;;       jump block5(v12)
;;   block5(v7: i32):
;;       jump block1(v7)
;;   block2(v3: i32) cold:
;;       v13 = iconst.i32 1
;;       v14 = iadd v3, v13
;;       jump block1(v14)
;;   block1(v2: i32):
;;       return v2
;;   }
