;; Blocks that branch hints call rare are laid out after all others: the arm of an `if`, the end of a block that only rare branches
;; lead to, and the code after a branch that is usually taken.
;;! func 0: clif
(module
  (func (param i32 i32) (result i32)
    (block $rare
      local.get 0
      (@metadata.code.branch_hint "\00")
      br_if $rare
      (@metadata.code.branch_hint "\00")
      (if (local.get 1) (then (return (i32.const 1))))
      (block $usual
        local.get 1
        (@metadata.code.branch_hint "\01")
        br_if $usual
        (return (i32.const 2)))
      (return (i32.const 3)))
    (i32.const 4)))
;; == func 0: clif
;;   function u0:0(i64 vmctx, i32, i32) -> i32 tail {
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i32, v2: i32):
;;       brif v1, block2, block3
;;   block3:
;;       brif.i32 v2, block4, block5
;;   block4 cold:
;;       v4 = iconst.i32 1
;;       jump block1(v4)
;;   block5:
;;       jump block6
;;   block6:
;;       brif.i32 v2, block7, block8
;;   block8 cold:
;;       v5 = iconst.i32 2
;;       jump block1(v5)
;;   block7:
;;       v6 = iconst.i32 3
;;       jump block1(v6)
;;   block2 cold:
;;       v7 = iconst.i32 4
;;       jump block1(v7)
;;   block1(v3: i32):
;;       return v3
;;   }
