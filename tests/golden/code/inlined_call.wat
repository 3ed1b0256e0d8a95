;; A small function is inlined: the compiled code has its `iadd` and no call.
;;! func 0: instructions, optimised
(module
  (func (param i32) (result i32)
    (i32.mul (call $add_three (local.get 0)) (local.get 0)))
  (func $add_three (param i32) (result i32)
    (i32.add (local.get 0) (i32.const 3))))
;; == func 0: instructions
;;   @0   enter, 2 slots
;;   @2   t0 = l0
;;   @4   call func 1, its frame at t5
;;   @6   acc = i32.mul acc, l0
;;   @8   return acc
;; == func 0: optimised
;;   function u0:0(i64 vmctx, i32) -> i32 tail {
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32):
;;       jump block2
;;   block2:
;;       jump block1
;;   block1:
;;       v4 = iconst.i32 3
;;       v5 = iadd.i32 v1, v4
;;       v6 = imul v5, v1
;;       return v6
;;   }
