;; What a throw costs: each export throws as many exceptions as its argument says and catches them. `benches/throws.py` runs it.
;; The comments `thrower`, `between` and `catcher` mark bodies that `throws.py --mixed` makes too long to be compiled.
(module
  (tag $thrown (param i32))
  (tag $large (param i32 i64 f64 v128 externref))

  ;; Thrown and caught in one function.
  (func (export "here") (param $n i32) (result i32) (local $sum i32) (; catcher ;)
    (loop $next
      (block $caught (result i32)
        (try_table (result i32) (catch $thrown $caught) (throw $thrown (local.get $n))))
      (local.set $sum (i32.add (local.get $sum)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  ;; Thrown by a function that is small enough to be inlined.
  (func $small (param i32) (result i32) (; thrower ;) (throw $thrown (local.get 0)))
  (func (export "small callee") (param $n i32) (result i32) (local $sum i32) (; catcher ;)
    (loop $next
      (block $caught (result i32)
        (try_table (result i32) (catch $thrown $caught) (call $small (local.get $n))))
      (local.set $sum (i32.add (local.get $sum)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  ;; Throws at depth 0. Calls `$deeper`, and `$deeper` this one, at an odd depth. The mixing makes both too large to be inlined.
  (func $mix (param $n i32) (result i32)
    (local.set $n (i32.xor (local.get $n) (i32.rotl (local.get $n) (i32.const 7))))
    (local.set $n (i32.add (local.get $n) (i32.rotl (local.get $n) (i32.const 13))))
    (local.set $n (i32.xor (local.get $n) (i32.mul (local.get $n) (i32.const 0x9e3779b9))))
    (local.set $n (i32.add (local.get $n) (i32.rotl (local.get $n) (i32.const 11))))
    (local.set $n (i32.xor (local.get $n) (i32.mul (local.get $n) (i32.const 0x85ebca6b))))
    (i32.add (local.get $n) (i32.rotl (local.get $n) (i32.const 17))))
  (func $deep (param $depth i32) (param $n i32) (result i32) (local $mixed i32) (; thrower ;)
    (local.set $mixed (i32.xor (local.get $n) (i32.rotl (local.get $n) (i32.const 7))))
    (local.set $mixed (i32.add (local.get $mixed) (i32.rotl (local.get $mixed) (i32.const 13))))
    (local.set $mixed (i32.xor (local.get $mixed) (i32.mul (local.get $mixed) (i32.const 0x9e3779b9))))
    (local.set $mixed (i32.add (local.get $mixed) (i32.rotl (local.get $mixed) (i32.const 11))))
    (local.set $mixed (i32.xor (local.get $mixed) (i32.mul (local.get $mixed) (i32.const 0x85ebca6b))))
    (local.set $mixed (i32.add (local.get $mixed) (i32.rotl (local.get $mixed) (i32.const 17))))
    (if (i32.eqz (local.get $depth)) (then (throw $thrown (local.get $mixed))))
    (i32.add (call $deeper (i32.sub (local.get $depth) (i32.const 1)) (local.get $n)) (local.get $mixed)))
  (func $deeper (param $depth i32) (param $n i32) (result i32) (local $mixed i32) (; between ;)
    (local.set $mixed (i32.xor (local.get $n) (i32.rotl (local.get $n) (i32.const 7))))
    (local.set $mixed (i32.add (local.get $mixed) (i32.rotl (local.get $mixed) (i32.const 13))))
    (local.set $mixed (i32.xor (local.get $mixed) (i32.mul (local.get $mixed) (i32.const 0x9e3779b9))))
    (local.set $mixed (i32.add (local.get $mixed) (i32.rotl (local.get $mixed) (i32.const 11))))
    (local.set $mixed (i32.xor (local.get $mixed) (i32.mul (local.get $mixed) (i32.const 0x85ebca6b))))
    (local.set $mixed (i32.add (local.get $mixed) (i32.rotl (local.get $mixed) (i32.const 17))))
    (i32.add (call $deep (i32.sub (local.get $depth) (i32.const 1)) (local.get $n)) (local.get $mixed)))
  (func $frames (param $n i32) (param $depth i32) (result i32) (local $sum i32) (; catcher ;)
    (loop $next
      (block $caught (result i32)
        (try_table (result i32) (catch $thrown $caught)
          (if (result i32) (i32.and (local.get $depth) (i32.const 1))
            (then (call $deeper (local.get $depth) (local.get $n)))
            (else (call $deep (local.get $depth) (local.get $n))))))
      (local.set $sum (i32.add (local.get $sum)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func (export "1 frame") (param i32) (result i32) (call $frames (local.get 0) (i32.const 0)))
  (func (export "3 frames") (param i32) (result i32) (call $frames (local.get 0) (i32.const 2)))
  (func (export "10 frames") (param i32) (result i32) (call $frames (local.get 0) (i32.const 9)))

  ;; The clause gets the reference as well.
  (func (export "reference") (param $n i32) (result i32) (local $sum i32) (; catcher ;)
    (loop $next
      (block $caught (result i32 exnref)
        (try_table (catch_ref $thrown $caught) (drop (call $deep (i32.const 2) (local.get $n))))
        (unreachable))
      (drop)
      (local.set $sum (i32.add (local.get $sum)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  ;; A payload of several types.
  (func $throw_large (param $n i32) (local $mixed i32) (; thrower ;)
    (local.set $mixed (call $mix (call $mix (local.get $n))))
    (throw $large (local.get $mixed) (i64.const 2) (f64.const 3) (i32x4.splat (local.get $n)) (ref.null extern)))
  (func (export "payload") (param $n i32) (result i32) (local $sum i32) (local $v v128) (; catcher ;)
    (loop $next
      (block $caught (result i32 i64 f64 v128 externref)
        (try_table (catch $large $caught) (call $throw_large (local.get $n)))
        (unreachable))
      (drop) (local.set $v) (drop) (drop)
      (local.set $sum (i32.add (local.get $sum)))
      (local.set $sum (i32.add (local.get $sum) (i32x4.extract_lane 2 (local.get $v))))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  ;; Each of three frames catches the exception, cleans up, and throws it again, as frames with destructors do.
  (global $alive (mut i32) (i32.const 0))
  (func $cleanup (param $depth i32) (param $n i32) (result i32) (; between ;)
    (global.set $alive (i32.add (global.get $alive) (i32.const 1)))
    (block $caught (result exnref)
      (try_table (catch_all_ref $caught)
        (if (i32.eqz (local.get $depth)) (then (drop (call $deep (i32.const 0) (local.get $n)))))
        (drop (call $cleanup (i32.sub (local.get $depth) (i32.const 1)) (local.get $n))))
      (unreachable))
    (global.set $alive (i32.sub (global.get $alive) (i32.const 1)))
    (throw_ref))
  (func (export "3 destructors") (param $n i32) (result i32) (local $sum i32) (; catcher ;)
    (loop $next
      (block $caught (result i32)
        (try_table (result i32) (catch $thrown $caught) (call $cleanup (i32.const 2) (local.get $n))))
      (local.set $sum (i32.add (local.get $sum)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.add (local.get $sum) (global.get $alive))))
