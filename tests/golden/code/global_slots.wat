;; A store to a global and a load of it are both of the whole slot, so that Cranelift passes the value on: the stack pointer of an
;; inlined function, and of Go's functions, which set it and read it again.
;;! func 0: optimised
(module
  (global $sp (mut i32) (i32.const 1024))
  (func (param i32) (result i32)
    (global.set $sp (i32.sub (global.get $sp) (i32.const 16)))
    (i32.add (global.get $sp) (local.get 0))))
;; == func 0: optimised
;;   function u0:0(i64 vmctx, i32) -> i32 tail {
;;       region0 = 7 "global"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       v3 = load.i64 notrap aligned region0 v0+global0
;;       v4 = ireduce.i32 v3
;;       v5 = iconst.i32 16
;;       v6 = isub v4, v5
;;       v7 = uextend.i64 v6
;;       store notrap aligned region0 v7, v0+global0
;;       jump block1
;;   block1:
;;       v11 = isub.i32 v4, v5
;;       v12 = iadd v11, v1
;;       return v12
;;   }
