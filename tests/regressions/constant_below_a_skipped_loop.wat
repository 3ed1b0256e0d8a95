;; A loop stores the constants below it to the frame, so that compiled code can take over there. The interpreter took them to
;; be in the frame on every path from then on, also on those that went around the loop.
(module
  (func $other_arm (param i32) (result i32)
    i32.const 1
    local.get 0
    if
      loop
      end
      unreachable
    end)

  (func $branch_around (param i32) (result i32)
    i32.const 1
    i64.const 7
    block
      local.get 0
      br_if 0
      loop
      end
    end
    drop)

  (func $inner_loop_skipped (param i32) (result i32)
    (local i32)
    loop (result i32)
      i32.const 5
      block
        local.get 0
        br_if 0
        loop
        end
      end
      local.get 1
      i32.add
      local.set 1
      local.get 0
      i32.const 1
      i32.sub
      local.tee 0
      br_if 0
      local.get 1
    end)

  (func (export "the arm without the loop") (result i32) (call $other_arm (i32.const 0)))
  (func (export "past the loop") (result i32) (call $branch_around (i32.const 1)))
  (func (export "through the loop") (result i32) (call $branch_around (i32.const 0)))
  (func (export "in a loop, past another") (result i32)
    (i32.eq (call $inner_loop_skipped (i32.const 4)) (i32.const 20))))
