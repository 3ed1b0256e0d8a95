;; A loop begins with a branch table. The function passes by the table if the parameter is 0 (to block8), and branches that set
;; the local to a constant lead to the target in the table. Only the computed number goes through it.
;;! func 0: clif
(module
  (func (param $state i32) (param $n i32) (result i32)
    (block $out
      (loop $again
        (block $two
          (block $one
            (block $zero
              (br_table $zero $one $two (local.get $state)))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (local.set $state (i32.const 2))
            (br $again))
          (local.set $state (i32.const 0))
          (br_if $again (local.get $n))
          (br $out))
        (local.set $state (i32.shr_u (local.get $n) (i32.const 4)))
        (br $again)))
    (local.get $n)))
;; == func 0: clif
;;   function u0:0(i64 vmctx, i32, i32) -> i32 tail {
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32, v2: i32):
;;       brif v1, block3(v1, v2), block4
;;   block3(v4: i32, v14: i32):
;;       v10 -> v14
;;       br_table v4, block6(v14), [block8(v14), block7]
;;   block4:
;;       jump block8(v2)
;;   block8(v5: i32):
;;       v6 = iconst.i32 1
;;       v7 = iadd v5, v6
;;       v8 = iconst.i32 2
;;       jump block6(v7)
;;   block7:
;;       v9 = iconst.i32 0
;;       brif.i32 v10, block8(v10), block9
;;   block9:
;;       jump block2
;;   block6(v11: i32):
;;       v12 = iconst.i32 4
;;       v13 = ushr v11, v12
;;       jump block3(v13, v11)
;;   block2:
;;       jump block1(v10)
;;   block1(v3: i32):
;;       return v3
;;   }
