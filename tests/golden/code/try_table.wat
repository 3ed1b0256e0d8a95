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
;;       ss0 = explicit_slot 8, align = 16, key = 1
;;       ss1 = explicit_slot 14, align = 8
;;       region0 = 3 "vm"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       sig0 = (i64, i64) -> i64 system_v
;;       sig1 = (i64, i64, i64) system_v
;;       sig2 = (i64, i32, i64, i64) system_v
;;       sig3 = (i64, i32, i64, i64) tail
;;       sig4 = (i64 vmctx, i32) -> i32 tail
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       jump block4
;;   block3(v4: i64) cold:
;;       v5 = load.i64 notrap aligned readonly can_move v0+store
;;       v6 = load.i64 notrap aligned readonly can_move v5+native_libcalls
;;       v7 = load.i64 notrap aligned readonly can_move v6+libcall
;;       v8 = call_indirect sig0, v7(v0, v4)
;;       v9 = load.i64 notrap aligned readonly can_move v0+tag0
;;       v10 = icmp eq v8, v9
;;       brif v10, block5, block6
;;   block5:
;;       v11 = stack_addr.i64 ss0
;;       v12 = load.i64 notrap aligned readonly can_move v0+store
;;       v13 = load.i64 notrap aligned readonly can_move v12+native_libcalls
;;       v14 = load.i64 notrap aligned readonly can_move v13+libcall
;;       call_indirect sig1, v14(v0, v4, v11)
;;       v15 = load.i32 notrap v11
;;       jump block2(v15)
;;   block6:
;;       v16 = stack_addr.i64 ss0
;;       store.i64 notrap v4, v16
;;       v17 = iconst.i32 throw_ref
;;       v18 = iconst.i64 0
;;       v19 = load.i64 notrap aligned readonly can_move v0+store
;;       v20 = load.i64 notrap aligned readonly can_move v19+native_libcalls
;;       v21 = load.i64 notrap aligned readonly can_move v20+libcall
;;       call_indirect sig3, v21(v0, v17, v18, v16)
;;       trap Unreachable
;;   block4:
;;       v23 = load.i64 notrap aligned readonly can_move v0+store
;;       store.i64 notrap aligned region0 v0, v23+caller
;;       v24 = load.i64 notrap aligned readonly can_move v0+imported_func0
;;       v25 = load.i64 notrap aligned region0 v24+48
;;       v26 = load.i64 notrap aligned region0 v24+56
;;       try_call_indirect v25(v26, v1), sig4, block8(ret0), [ context v0, tag0: block3(exn0) ]
;;   block8(v27: i32):
;;       jump block7(v27)
;;   block7(v22: i32):
;;       jump block1(v22)
;;   block2(v3: i32):
;;       v28 = iconst.i32 1
;;       v29 = iadd v3, v28
;;       jump block1(v29)
;;   block1(v2: i32):
;;       return v2
;;   }
