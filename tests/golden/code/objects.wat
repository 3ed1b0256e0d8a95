;; Objects: an allocation is a bump of the block's cursor; a read of a field is a load whose fault is the null trap; a cast is a
;; compare of descriptors, with a look into the display of supertypes if the types differ.
;;! func 0: instructions, optimised
;;! func 1: instructions, optimised
;;! func 2: instructions, optimised
;;! func 3: instructions, optimised

(module
    (type $node (sub (struct (field i8) (field (mut (ref null $node))) (field i64))))
    (type $leaf (sub final $node (struct (field i8) (field (mut (ref null $node))) (field i64) (field f64))))
    (type $words (array (mut i16)))
    (func (param $next (ref null $node)) (result (ref $node))
        (struct.new $node (i32.const 5) (local.get $next) (i64.const 7)))
    (func (param $at (ref null $node)) (result i64)
        (i64.add
            (struct.get $node 2 (local.get $at))
            (i64.extend_i32_u (struct.get_u $node 0 (struct.get $node 1 (local.get $at))))))
    (func (param $words (ref null $words)) (param $index i32) (result i32)
        (array.set $words (local.get $words) (local.get $index) (i32.const 3))
        (array.get_s $words (local.get $words) (local.get $index)))
    (func (param $any anyref) (result i32)
        (i32.add
            (ref.test (ref $node) (local.get $any))
            (i32.trunc_f64_s (struct.get $leaf 3 (ref.cast (ref $leaf) (local.get $any)))))))
;; == func 0: instructions
;;   @0   enter, 3 slots
;;   @2   t0 = 5
;;   @4   t1 = l0
;;   @6   t2 = 7
;;   @8   t0 = struct.new 0, t0, t1, t2
;;   @12  return t0
;; == func 0: optimised
;;   function u0:0(i64 vmctx, i64) -> i64 tail {
;;       region0 = 6 "allocator"
;;       region1 = 5 "heap header"
;;       region2 = 4 "heap"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       sig0 = (i64, i32) -> i64 system_v
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i64):
;;       v5 = load.i64 notrap aligned readonly can_move v0+store
;;       v6 = load.i32 notrap aligned region0 v5+cursor_of_24_bytes
;;       v7 = load.i32 notrap aligned region0 v5+end_of_24_bytes
;;       v8 = iconst.i32 24
;;       v9 = iadd v6, v8
;;       v10 = icmp ule v9, v7
;;       brif v10, block2, block3
;;   block3 cold:
;;       v14 = load.i64 notrap aligned readonly can_move v5+native_libcalls
;;       v15 = load.i64 notrap aligned readonly can_move v14+libcall
;;       v24 = iconst.i32 24
;;       v16 = call_indirect sig0, v15(v0, v24)
;;       jump block4(v16)
;;   block2:
;;       v25 = iadd.i32 v6, v8
;;       store notrap aligned region0 v25, v5+cursor_of_24_bytes
;;       v17 = uextend.i64 v6
;;       jump block4(v17)
;;   block4(v11: i64):
;;       v20 = load.i32 notrap aligned readonly can_move v0+descriptor0
;;       v18 = load.i64 notrap aligned readonly can_move v0+heap_base
;;       v19 = iadd v18, v11
;;       store notrap aligned region1 v20, v19
;;       v23 = iconst.i8 5
;;       store notrap little region2 v23, v19+8
;;       v22 = ireduce.i32 v1
;;       store notrap little region2 v22, v19+12
;;       v4 = iconst.i64 7
;;       store notrap little region2 v4, v19+16
;;       jump block1(v11)
;;   block1(v2: i64):
;;       return v2
;;   }
;; == func 1: instructions
;;   @0   enter, 2 slots
;;   @2   t0 = struct.get l0+16, i64
;;   @4   acc = struct.get l0+12, i32
;;   @6   acc = struct.get acc+8, u8
;;   @8   acc = i64.extend_i32_u acc
;;   @10  acc = i64.add t0, acc
;;   @12  return acc
;; == func 1: optimised
;;   function u0:0(i64 vmctx, i64) -> i64 tail {
;;       region0 = 4 "heap"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i64):
;;       v3 = load.i64 notrap aligned readonly can_move v0+heap_base
;;       v4 = iadd v3, v1
;;       v5 = load.i64 NullStructReference little region0 v4+16
;;       v8 = load.i32 NullStructReference little region0 v4+12
;;       v9 = uextend.i64 v8
;;       v11 = iadd v3, v9
;;       v12 = uload8.i32 NullStructReference little region0 v11+8
;;       jump block1
;;   block1:
;;       v13 = uextend.i64 v12
;;       v14 = iadd.i64 v5, v13
;;       return v14
;;   }
;; == func 2: instructions
;;   @0   enter, 3 slots
;;   @2   t2 = 3
;;   @4   array.set l0[l1], t2, i16
;;   @6   acc = array.get l0[l1], i16
;;   @8   return acc
;; == func 2: optimised
;;   function u0:0(i64 vmctx, i64, i32) -> i32 tail {
;;       region0 = 5 "heap header"
;;       region1 = 4 "heap"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i64, v2: i32):
;;       v5 = load.i64 notrap aligned readonly can_move v0+heap_base
;;       v6 = iadd v5, v1
;;       v7 = load.i32 NullArrayReference aligned region0 v6+4
;;       v8 = icmp uge v2, v7
;;       trapnz v8, ArrayOutOfBounds
;;       v29 = iconst.i16 3
;;       v9 = ireduce.i32 v1
;;       v10 = iconst.i32 1
;;       v11 = ishl v2, v10
;;       v12 = iadd v9, v11
;;       v13 = uextend.i64 v12
;;       v15 = iadd v5, v13
;;       store notrap little region1 v29, v15+8
;;       v28 = sload16.i32 notrap little region1 v15+8
;;       jump block1
;;   block1:
;;       return v28
;;   }
;; == func 3: instructions
;;   @0   enter, 2 slots
;;   @2   t0 = ref.test l0, type 0
;;   @4   ref.cast l0, type 1
;;   @6   facc = struct.get l0+24, f64
;;   @8   acc = i32.trunc_f64_s facc
;;   @10  acc = i32.add t0, acc
;;   @12  return acc
;; == func 3: optimised
;;   function u0:0(i64 vmctx, i64) -> i32 tail {
;;       region0 = 5 "heap header"
;;       region1 = 4 "heap"
;;       gv0 = vmctx
;;       gv1 = load.i64 notrap aligned readonly can_move gv0+native_stack_limit
;;       stack_limit = gv1
;;   block0(v0: i64, v1: i64):
;;       v3 = ireduce.i32 v1
;;       v4 = iconst.i32 1
;;       v5 = rotr v3, v4
;;       v6 = iconst.i32 -1
;;       v7 = iadd v5, v6
;;       v8 = iconst.i32 0x7fff_ffff
;;       v9 = icmp ult v7, v8
;;       v11 = iconst.i8 0
;;       brif v9, block2, block3(v11)
;;   block2:
;;       v12 = load.i64 notrap aligned readonly can_move v0+heap_base
;;       v13 = iadd v12, v1
;;       v14 = load.i32 notrap aligned region0 v13
;;       v16 = uextend.i64 v14
;;       v17 = iadd v12, v16
;;       v18 = load.i32 notrap aligned readonly v17+28
;;       v15 = load.i32 notrap aligned readonly can_move v0+descriptor0
;;       v19 = icmp eq v18, v15
;;       jump block3(v19)
;;   block3(v10: i8):
;;       v41 = iconst.i8 0
;;       brif.i8 v9, block4, block5(v41)
;;   block4:
;;       v42 = load.i64 notrap aligned readonly can_move v0+heap_base
;;       v43 = iadd v42, v1
;;       v33 = load.i32 notrap aligned region0 v43
;;       v34 = load.i32 notrap aligned readonly can_move v0+descriptor1
;;       v35 = icmp eq v33, v34
;;       jump block5(v35)
;;   block5(v29: i8):
;;       trapz v29, CastFailure
;;       v44 = load.i64 notrap aligned readonly can_move v0+heap_base
;;       v45 = iadd v44, v1
;;       v38 = load.f64 NullStructReference little region1 v45+24
;;       v39 = fcvt_to_sint.i32 v38
;;       jump block1
;;   block1:
;;       v20 = uextend.i32 v10
;;       v40 = iadd v20, v39
;;       return v40
;;   }
