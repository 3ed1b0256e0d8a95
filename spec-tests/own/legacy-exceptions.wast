;; Legacy exceptions: try, catch, catch_all, rethrow, delegate, and both kinds of exceptions in one module.

(module $tags
  (tag (export "one") (param i32))
  (tag (export "two") (param i32))
  (func (export "throw one") (param i32) local.get 0 throw 0))
(register "tags" $tags)

(module
  (import "tags" "one" (tag $same (param i32)))
  (import "tags" "one" (tag $same_again (param i32)))
  (import "tags" "two" (tag $two (param i32)))
  (import "tags" "throw one" (func $throw_one (param i32)))
  (tag $a)
  (tag $b (param i32))
  (tag $c (param i64 f32))
  (tag $v (param v128 i32))
  (func $throw (param $what i32) (param $x i32)
    block $4 block $3 block $2 block $1
      local.get $what
      br_table $1 $2 $3 $4
    end throw $a
    end local.get $x throw $b
    end local.get $x i64.extend_i32_s f32.const 1.5 throw $c
    end)

  ;; The first clause that fits counts. Clauses leave operands below the block alone.
  (func (export "select") (param $what i32) (param $x i32) (result i32)
    i32.const 1000
    try (result i32)
      local.get $what local.get $x call $throw
      i32.const 1
    catch $a
      i32.const 2
    catch $b
      i32.const 3 i32.add
    catch $b
      drop i32.const -1
    catch_all
      i32.const 4
    end
    i32.add)

  ;; The same exceptions thrown in the function itself.
  (func (export "select here") (param $what i32) (param $x i32) (result i32)
    i32.const 1000
    try (result i32)
      block $4 block $3 block $2 block $1
        local.get $what
        br_table $1 $2 $3 $4
      end throw $a
      end local.get $x throw $b
      end local.get $x i64.extend_i32_s f32.const 1.5 throw $c
      end
      i32.const 1
    catch $a
      i32.const 2
    catch $b
      i32.const 3 i32.add
    catch_all
      i32.const 4
    end
    i32.add)

  ;; Block parameters and several results, moved over the hidden reference of the second body.
  (func (export "params") (param $what i32) (param $x i32) (result i32 i64 i32)
    i32.const 7
    i32.const 8 i64.const 9
    try (param i32 i64) (result i64 i32)
      drop drop
      local.get $what local.get $x call $throw
      i64.const 10 i32.const 11
    catch $b
      local.set $x
      i64.const 12 local.get $x
    catch $c
      f32.const 1.5 f32.eq
      local.get $x i32.eqz if rethrow 1 end
    catch_all
      i64.const 13 i32.const 14
    end)

  ;; `rethrow` of each of three nested exceptions.
  (func $rethrown (param $depth i32)
    try
      i32.const 1 throw $b
    catch $b
      drop
      try
        i32.const 2 throw $b
      catch_all
        try
          i32.const 3 i32.const 2 call $throw
          i32.const 3 throw $b
        catch $b
          drop
          block $2 block $1 block $0
            local.get $depth
            br_table $0 $1 $2
          end rethrow 2
          end rethrow 2
          end rethrow 2
        end
      end
    end)
  (func (export "rethrow") (param $depth i32) (result i32)
    try (result i32)
      local.get $depth call $rethrown
      i32.const 0
    catch $b
    end)

  ;; A handler in the same function, of a `rethrow` and after it.
  (func (export "rethrow here") (param $x i32) (result i32)
    i32.const 100
    try (result i32)
      try (result i32)
        local.get $x throw $b
      catch $b
        i32.const 1 i32.add local.set $x
        rethrow 0
      end
    catch $b
      local.get $x i32.add
    end
    i32.add)

  ;; Branches out of bodies with values: to the `try`, to a block, to the function.
  (func (export "branches") (param $where i32) (param $x i32) (result i32 i32)
    i32.const 50
    block $out (result i32)
      i32.const 51
      try $try (result i32)
        local.get $x throw $b
      catch $b
        local.set $x
        local.get $where i32.const 9 i32.eq if rethrow 1 end
        local.get $where i32.const 8 i32.eq if local.get $x local.get $where return end
        local.get $x local.get $where
        br_table $try $out $try
      end
      i32.const 1 i32.add
      i32.add
    end)

  ;; A loop in a body runs for long, so that tiers change in it.
  (func (export "loop") (param $n i32) (result i32) (local $sum i32)
    i32.const 3
    try
      local.get $n throw $b
    catch $b
      local.set $n
      loop $next
        local.get $sum local.get $n i32.add local.set $sum
        local.get $n i32.const 1 i32.sub local.tee $n br_if $next
      end
      local.get $sum i32.eqz if rethrow 1 end
    end
    local.get $sum i32.add)

  ;; A loop that throws and catches in each round.
  (func (export "throwing loop") (param $n i32) (result i32) (local $sum i32)
    loop $next
      try
        local.get $n i32.const 3 i32.rem_u local.get $n call $throw
      catch $b
        local.get $sum i32.add local.set $sum
      catch_all
        local.get $sum i32.const 1 i32.add local.set $sum
      end
      local.get $n i32.const 1 i32.sub local.tee $n br_if $next
    end
    local.get $sum)

  ;; `delegate` to a `try`, past one, to a block, to a `catch` body and to the caller.
  (func (export "delegate") (param $what i32) (result i32)
    try $outer (result i32)
      try (result i32)
        try (result i32)
          local.get $what i32.const 5 call $throw
          i32.const 1
        delegate 1
      catch_all
        i32.const 2
      end
    catch $a
      i32.const 3
    catch $b
    end)
  (func (export "delegate to a block") (result i32)
    try (result i32)
      block
        try throw $a delegate 0
      end
      i32.const 1
    catch $a
      i32.const 2
    end)
  (func (export "delegate to a body") (result i32)
    try (result i32)
      try
        throw $a
      catch $a
        try rethrow 1 delegate 0
      end
      i32.const 1
    catch $a
      i32.const 2
    end)
  (func $to_caller (param $x i32)
    try
      try
        local.get $x throw $b
      delegate 1
    catch_all
    end)
  (func (export "delegate to the caller") (param $x i32) (result i32)
    try (result i32)
      local.get $x call $to_caller
      i32.const 0
    catch $b
    end)
  ;; A throw after a `delegate` is for the handlers of its own place.
  (func (export "after delegate") (result i32)
    try (result i32)
      try $inner (result i32)
        try $skipped (result i32)
          try (result i32) i32.const 1 delegate $inner
          throw $a
        catch $a
          i32.const 10
        end
      catch_all
        i32.const 20
      end
    catch_all
      i32.const 30
    end)

  ;; A `try` without clauses passes exceptions on.
  (func (export "no clause") (param $what i32) (result i32)
    try (result i32)
      try (result i32)
        local.get $what i32.const 4 call $throw
        i32.const 1
      end
    catch $b
    catch_all
      i32.const 2
    end)

  ;; One tag under two names, and a tag that only looks like it.
  (func (export "aliases") (param $which i32) (result i32)
    try (result i32)
      try (result i32)
        local.get $which
        if
          i32.const 1 throw $same
        else
          i32.const 2 throw $two
        end
        unreachable
      catch $same_again
        i32.const 10 i32.add
      end
    catch $two
      i32.const 20 i32.add
    end)
  (func (export "of another module") (param $x i32) (result i32)
    try (result i32)
      local.get $x call $throw_one
      i32.const 0
    catch $two
      drop i32.const -1
    catch $same_again
    end)

  ;; Vectors: two slots in frames.
  (func (export "vectors") (param $x i32) (result i32)
    i32.const 1
    v128.const i32x4 1 2 3 4
    try (param v128) (result v128)
      local.get $x i32x4.splat i32x4.add
      local.get $x throw $v
    catch $v
      i32.eqz if rethrow 1 end
    end
    i32x4.extract_lane 3
    i32.add)

  ;; Both kinds: a `try_table` catches what a `try` throws again, with its reference, and the other way round.
  (func (export "both") (param $x i32) (result i32) (local $exn exnref)
    block $caught (result i32 exnref)
      try_table (catch_ref $b $caught)
        try
          local.get $x throw $b
        catch_all
          rethrow 0
        end
      end
      unreachable
    end
    local.set $exn
    try (result i32)
      local.get $exn throw_ref
    catch $b
      i32.const 1 i32.add
    end
    i32.add)

  ;; A tail call leaves the `try`.
  (func (export "tail call")
    try
      i32.const 0 i32.const 0 return_call $throw
    catch_all
    end)

  ;; Traps are not caught.
  (func (export "trap") try unreachable catch_all end)

  ;; Unreachable bodies, and bodies after unreachable code.
  (func (export "unreachable") (result i32)
    try (result i32)
      i32.const 1
      return
      try catch $b drop catch_all rethrow 0 end
      try delegate 0
    catch $b
      return
    end))

(assert_return (invoke "select" (i32.const 0) (i32.const 0)) (i32.const 1002))
(assert_return (invoke "select" (i32.const 1) (i32.const 20)) (i32.const 1023))
(assert_return (invoke "select" (i32.const 2) (i32.const 0)) (i32.const 1004))
(assert_return (invoke "select" (i32.const 3) (i32.const 0)) (i32.const 1001))
(assert_return (invoke "select here" (i32.const 0) (i32.const 0)) (i32.const 1002))
(assert_return (invoke "select here" (i32.const 1) (i32.const 20)) (i32.const 1023))
(assert_return (invoke "select here" (i32.const 2) (i32.const 0)) (i32.const 1004))
(assert_return (invoke "select here" (i32.const 3) (i32.const 0)) (i32.const 1001))
(assert_return (invoke "params" (i32.const 0) (i32.const 1)) (i32.const 7) (i64.const 13) (i32.const 14))
(assert_return (invoke "params" (i32.const 1) (i32.const 44)) (i32.const 7) (i64.const 12) (i32.const 44))
(assert_return (invoke "params" (i32.const 2) (i32.const -5)) (i32.const 7) (i64.const -5) (i32.const 1))
(assert_exception (invoke "params" (i32.const 2) (i32.const 0)))
(assert_return (invoke "params" (i32.const 3) (i32.const 1)) (i32.const 7) (i64.const 10) (i32.const 11))
(assert_return (invoke "rethrow" (i32.const 0)) (i32.const 3))
(assert_return (invoke "rethrow" (i32.const 1)) (i32.const 2))
(assert_return (invoke "rethrow" (i32.const 2)) (i32.const 1))
(assert_return (invoke "rethrow here" (i32.const 8)) (i32.const 117))
(assert_return (invoke "branches" (i32.const 0) (i32.const 5)) (i32.const 50) (i32.const 57))
(assert_return (invoke "branches" (i32.const 1) (i32.const 5)) (i32.const 50) (i32.const 5))
(assert_return (invoke "branches" (i32.const 8) (i32.const 5)) (i32.const 5) (i32.const 8))
(assert_exception (invoke "branches" (i32.const 9) (i32.const 5)))
(assert_return (invoke "loop" (i32.const 100000)) (i32.const 705082707))
(assert_return (invoke "throwing loop" (i32.const 30000)) (i32.const 150015000))
(assert_return (invoke "delegate" (i32.const 0)) (i32.const 3))
(assert_return (invoke "delegate" (i32.const 1)) (i32.const 5))
(assert_return (invoke "delegate" (i32.const 3)) (i32.const 1))
(assert_exception (invoke "delegate" (i32.const 2)))
(assert_return (invoke "delegate to a block") (i32.const 2))
(assert_return (invoke "delegate to a body") (i32.const 2))
(assert_return (invoke "delegate to the caller" (i32.const 77)) (i32.const 77))
(assert_return (invoke "after delegate") (i32.const 10))
(assert_return (invoke "no clause" (i32.const 0)) (i32.const 2))
(assert_return (invoke "no clause" (i32.const 1)) (i32.const 4))
(assert_return (invoke "no clause" (i32.const 3)) (i32.const 1))
(assert_return (invoke "aliases" (i32.const 1)) (i32.const 11))
(assert_return (invoke "aliases" (i32.const 0)) (i32.const 22))
(assert_return (invoke "of another module" (i32.const 6)) (i32.const 6))
(assert_return (invoke "vectors" (i32.const 5)) (i32.const 10))
(assert_exception (invoke "vectors" (i32.const 0)))
(assert_return (invoke "both" (i32.const 5)) (i32.const 11))
(assert_exception (invoke "tail call"))
(assert_trap (invoke "trap") "unreachable")
(assert_return (invoke "unreachable") (i32.const 1))

(assert_invalid (module (func rethrow 0)) "invalid rethrow label")
(assert_invalid (module (func try rethrow 0 end)) "invalid rethrow label")
(assert_invalid (module (func block rethrow 0 end)) "invalid rethrow label")
(assert_invalid (module (func try delegate 1)) "unknown label")
(assert_invalid (module (func (result i32) try (result i32) catch_all end)) "type mismatch")
(assert_invalid (module (tag (param i64)) (func (result i32) try (result i32) i32.const 1 catch 0 end)) "type mismatch")

;; Folded forms, as operands too.
(module
  (tag $e (param i32))
  (func (export "folded") (param i32) (result i32)
    (i32.sub
      (i32.const 1000)
      (try $l (result i32)
        (do (if (local.get 0) (then (throw $e (local.get 0)))) (br $l (i32.const 1)))
        (catch $e (i32.mul (i32.const 10)))
        (catch_all (unreachable)))))
  (func (export "folded-condition") (param i32) (result i32)
    (if (result i32) (i32.eqz (try (result i32) (do (throw $e (local.get 0))) (catch $e)))
      (then (i32.const 1))
      (else (try (result i32) (do (try (do (throw $e (i32.const 2))) (delegate 0)) (i32.const 3)) (catch $e))))))

(assert_return (invoke "folded" (i32.const 0)) (i32.const 999))
(assert_return (invoke "folded" (i32.const 7)) (i32.const 930))
(assert_return (invoke "folded-condition" (i32.const 0)) (i32.const 1))
(assert_return (invoke "folded-condition" (i32.const 1)) (i32.const 2))
