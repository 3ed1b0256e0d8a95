;; What a throw costs: each export throws as many exceptions as its argument says and catches them. `benches/throws.py` runs it.
(module
  (tag $thrown (param i32))

  ;; Thrown and caught in one function.
  (func (export "here") (param $n i32) (result i32) (local $sum i32)
    (loop $next
      (block $caught (result i32)
        (try_table (result i32) (catch $thrown $caught) (throw $thrown (local.get $n))))
      (local.set $sum (i32.add (local.get $sum)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  ;; Thrown by a function that is small enough to be inlined.
  (func $small (param i32) (result i32) (throw $thrown (local.get 0)))
  (func (export "small callee") (param $n i32) (result i32) (local $sum i32)
    (loop $next
      (block $caught (result i32)
        (try_table (result i32) (catch $thrown $caught) (call $small (local.get $n))))
      (local.set $sum (i32.add (local.get $sum)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  ;; Calls itself `$depth` times, then throws. The mixing makes it too large to be inlined.
  (func $deep (param $depth i32) (param $n i32) (result i32) (local $mixed i32)
    (local.set $mixed (i32.xor (local.get $n) (i32.rotl (local.get $n) (i32.const 7))))
    (local.set $mixed (i32.add (local.get $mixed) (i32.rotl (local.get $mixed) (i32.const 13))))
    (local.set $mixed (i32.xor (local.get $mixed) (i32.mul (local.get $mixed) (i32.const 0x9e3779b9))))
    (local.set $mixed (i32.add (local.get $mixed) (i32.rotl (local.get $mixed) (i32.const 11))))
    (local.set $mixed (i32.xor (local.get $mixed) (i32.mul (local.get $mixed) (i32.const 0x85ebca6b))))
    (local.set $mixed (i32.add (local.get $mixed) (i32.rotl (local.get $mixed) (i32.const 17))))
    (if (i32.eqz (local.get $depth)) (then (throw $thrown (local.get $mixed))))
    (i32.add (call $deep (i32.sub (local.get $depth) (i32.const 1)) (local.get $n)) (local.get $mixed)))
  (func $frames (param $n i32) (param $depth i32) (result i32) (local $sum i32)
    (loop $next
      (block $caught (result i32)
        (try_table (result i32) (catch $thrown $caught) (call $deep (local.get $depth) (local.get $n))))
      (local.set $sum (i32.add (local.get $sum)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func (export "1 frame") (param i32) (result i32) (call $frames (local.get 0) (i32.const 0)))
  (func (export "3 frames") (param i32) (result i32) (call $frames (local.get 0) (i32.const 2)))
  (func (export "10 frames") (param i32) (result i32) (call $frames (local.get 0) (i32.const 9)))

  ;; The clause gets the reference as well.
  (func (export "reference") (param $n i32) (result i32) (local $sum i32)
    (loop $next
      (block $caught (result i32 exnref)
        (try_table (catch_ref $thrown $caught) (drop (call $deep (i32.const 2) (local.get $n))))
        (unreachable))
      (drop)
      (local.set $sum (i32.add (local.get $sum)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  ;; Each of three frames catches the exception, cleans up, and throws it again, as frames with destructors do.
  (global $alive (mut i32) (i32.const 0))
  (func $cleanup (param $depth i32) (param $n i32) (result i32)
    (global.set $alive (i32.add (global.get $alive) (i32.const 1)))
    (block $caught (result exnref)
      (try_table (catch_all_ref $caught)
        (if (i32.eqz (local.get $depth)) (then (drop (call $deep (i32.const 0) (local.get $n)))))
        (drop (call $cleanup (i32.sub (local.get $depth) (i32.const 1)) (local.get $n))))
      (unreachable))
    (global.set $alive (i32.sub (global.get $alive) (i32.const 1)))
    (throw_ref))
  (func (export "3 destructors") (param $n i32) (result i32) (local $sum i32)
    (loop $next
      (block $caught (result i32)
        (try_table (result i32) (catch $thrown $caught) (call $cleanup (i32.const 2) (local.get $n))))
      (local.set $sum (i32.add (local.get $sum)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.add (local.get $sum) (global.get $alive))))
