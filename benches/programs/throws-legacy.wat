;; What a throw costs with legacy exceptions: the counterparts of some exports of `throws.wat`, which explains the comments.
(module
  (tag $thrown (param i32))

  (func (export "legacy, here") (param $n i32) (result i32) (local $sum i32) (; catcher ;)
    loop $next
      try (result i32)
        local.get $n
        throw $thrown
      catch $thrown
      end
      local.get $sum
      i32.add
      local.set $sum
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))
    end
    local.get $sum)

  (func $deep (param $depth i32) (param $n i32) (result i32) (local $mixed i32) (; thrower ;)
    (local.set $mixed (i32.xor (local.get $n) (i32.rotl (local.get $n) (i32.const 7))))
    (local.set $mixed (i32.add (local.get $mixed) (i32.rotl (local.get $mixed) (i32.const 13))))
    (local.set $mixed (i32.xor (local.get $mixed) (i32.mul (local.get $mixed) (i32.const 0x9e3779b9))))
    (local.set $mixed (i32.add (local.get $mixed) (i32.rotl (local.get $mixed) (i32.const 11))))
    (local.set $mixed (i32.xor (local.get $mixed) (i32.mul (local.get $mixed) (i32.const 0x85ebca6b))))
    (local.set $mixed (i32.add (local.get $mixed) (i32.rotl (local.get $mixed) (i32.const 17))))
    (if (i32.eqz (local.get $depth)) (then (throw $thrown (local.get $mixed))))
    (i32.add (call $deep (i32.sub (local.get $depth) (i32.const 1)) (local.get $n)) (local.get $mixed)))
  (func (export "legacy, 3 frames") (param $n i32) (result i32) (local $sum i32) (; catcher ;)
    loop $next
      try (result i32)
        i32.const 2
        local.get $n
        call $deep
      catch $thrown
      end
      local.get $sum
      i32.add
      local.set $sum
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))
    end
    local.get $sum)

  (global $alive (mut i32) (i32.const 0))
  (func $cleanup (param $depth i32) (param $n i32) (result i32) (; between ;)
    (global.set $alive (i32.add (global.get $alive) (i32.const 1)))
    try (result i32)
      (if (i32.eqz (local.get $depth)) (then (drop (call $deep (i32.const 0) (local.get $n)))))
      (call $cleanup (i32.sub (local.get $depth) (i32.const 1)) (local.get $n))
    catch_all
      (global.set $alive (i32.sub (global.get $alive) (i32.const 1)))
      rethrow 0
    end)
  (func (export "legacy, 3 destructors") (param $n i32) (result i32) (local $sum i32) (; catcher ;)
    loop $next
      try (result i32)
        i32.const 2
        local.get $n
        call $cleanup
      catch $thrown
      end
      local.get $sum
      i32.add
      local.set $sum
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))
    end
    (i32.add (local.get $sum) (global.get $alive))))
