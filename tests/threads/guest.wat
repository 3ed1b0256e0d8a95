;; What threads do to a shared memory, for the tests in this directory.
;;
;;    0  a lock: 0 free, 1 taken, 2 taken and waited for;  4  a counter that the lock guards
;;   64  a barrier: threads that arrived;                 68  its round
;;  128  the round of each thread
;; 1024  tail of a queue;  1088  its head;  4096  its 64 cells: sequence number, value
(module
  (import "env" "memory" (memory 1 64 shared))
  (export "memory" (memory 0))

  (func $lock (local $state i32)
    (local.set $state (i32.atomic.rmw.cmpxchg (i32.const 0) (i32.const 0) (i32.const 1)))
    (if (local.get $state)
      (then
        (if (i32.ne (local.get $state) (i32.const 2))
          (then (local.set $state (i32.atomic.rmw.xchg (i32.const 0) (i32.const 2)))))
        (loop $again
          (if (local.get $state)
            (then
              (drop (memory.atomic.wait32 (i32.const 0) (i32.const 2) (i64.const -1)))
              (local.set $state (i32.atomic.rmw.xchg (i32.const 0) (i32.const 2)))
              (br $again)))))))
  (func $unlock
    (if (i32.ne (i32.atomic.rmw.sub (i32.const 0) (i32.const 1)) (i32.const 1))
      (then
        (i32.atomic.store (i32.const 0) (i32.const 0))
        (drop (memory.atomic.notify (i32.const 0) (i32.const 1))))))

  ;; Adds one to the counter under the lock, so many times.
  (func (export "locked") (param $times i32)
    (loop $again
      (call $lock)
      (i32.store (i32.const 4) (i32.add (i32.load (i32.const 4)) (i32.const 1)))
      (call $unlock)
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1))))))

  (func $barrier (param $threads i32) (local $round i32)
    (local.set $round (i32.atomic.load (i32.const 68)))
    (if (i32.eq (i32.add (i32.atomic.rmw.add (i32.const 64) (i32.const 1)) (i32.const 1)) (local.get $threads))
      (then
        (i32.atomic.store (i32.const 64) (i32.const 0))
        (drop (i32.atomic.rmw.add (i32.const 68) (i32.const 1)))
        (drop (memory.atomic.notify (i32.const 68) (i32.const -1))))
      (else
        (loop $again
          (if (i32.eq (i32.atomic.load (i32.const 68)) (local.get $round))
            (then
              (drop (memory.atomic.wait32 (i32.const 68) (local.get $round) (i64.const -1)))
              (br $again)))))))

  ;; Goes through so many rounds with all threads. Returns the number of times that a thread was not in the same round, which the
  ;; barriers exclude.
  (func (export "rounds") (param $id i32) (param $threads i32) (param $rounds i32) (result i32)
    (local $round i32) (local $other i32) (local $late i32)
    (loop $again
      (local.set $round (i32.add (local.get $round) (i32.const 1)))
      ;; Plain accesses: the barrier orders them.
      (i32.store offset=128 (i32.shl (local.get $id) (i32.const 2)) (local.get $round))
      (call $barrier (local.get $threads))
      (local.set $other (i32.const 0))
      (loop $others
        (local.set $late (i32.add (local.get $late)
          (i32.ne (i32.load offset=128 (i32.shl (local.get $other) (i32.const 2))) (local.get $round))))
        (br_if $others
          (i32.lt_u (local.tee $other (i32.add (local.get $other) (i32.const 1))) (local.get $threads))))
      (call $barrier (local.get $threads))
      (br_if $again (i32.lt_u (local.get $round) (local.get $rounds))))
    (local.get $late))

  (func (export "prepare_queue") (local $cell i32)
    (loop $again
      (i32.atomic.store offset=4096 (i32.shl (local.get $cell) (i32.const 3)) (local.get $cell))
      (br_if $again (i32.lt_u (local.tee $cell (i32.add (local.get $cell) (i32.const 1))) (i32.const 64)))))
  (func $cell (param $at i32) (result i32)
    (i32.add (i32.const 4096) (i32.shl (i32.and (local.get $at) (i32.const 63)) (i32.const 3))))
  ;; A bounded queue for many producers and consumers without a lock. Returns 0 if it is full.
  (func $push (param $value i32) (result i32) (local $at i32) (local $cell i32) (local $ahead i32)
    (loop $again
      (local.set $at (i32.atomic.load (i32.const 1024)))
      (local.set $cell (call $cell (local.get $at)))
      (local.set $ahead (i32.sub (i32.atomic.load (local.get $cell)) (local.get $at)))
      (if (i32.lt_s (local.get $ahead) (i32.const 0)) (then (return (i32.const 0))))
      (br_if $again (local.get $ahead))
      (br_if $again (i32.ne
        (i32.atomic.rmw.cmpxchg (i32.const 1024) (local.get $at) (i32.add (local.get $at) (i32.const 1)))
        (local.get $at))))
    (i32.store offset=4 (local.get $cell) (local.get $value))
    (i32.atomic.store (local.get $cell) (i32.add (local.get $at) (i32.const 1)))
    (i32.const 1))
  ;; Returns 0 if the queue is empty.
  (func $pop (export "pop") (result i32) (local $at i32) (local $cell i32) (local $ahead i32) (local $value i32)
    (loop $again
      (local.set $at (i32.atomic.load (i32.const 1088)))
      (local.set $cell (call $cell (local.get $at)))
      (local.set $ahead
        (i32.sub (i32.atomic.load (local.get $cell)) (i32.add (local.get $at) (i32.const 1))))
      (if (i32.lt_s (local.get $ahead) (i32.const 0)) (then (return (i32.const 0))))
      (br_if $again (local.get $ahead))
      (br_if $again (i32.ne
        (i32.atomic.rmw.cmpxchg (i32.const 1088) (local.get $at) (i32.add (local.get $at) (i32.const 1)))
        (local.get $at))))
    (local.set $value (i32.load offset=4 (local.get $cell)))
    (i32.atomic.store (local.get $cell) (i32.add (local.get $at) (i32.const 64)))
    (local.get $value))
  ;; Pushes the values from $first on, so many of them, and pops about as many. Returns the sum of the values that it popped.
  (func (export "exchange") (param $first i32) (param $count i32) (result i64) (local $sum i64) (local $last i32)
    (local.set $last (i32.add (local.get $first) (local.get $count)))
    (loop $again
      (if (call $push (local.get $first))
        (then (local.set $first (i32.add (local.get $first) (i32.const 1)))))
      (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (call $pop))))
      (br_if $again (i32.lt_u (local.get $first) (local.get $last))))
    (local.get $sum))

  ;; Stores 1 at 256, then waits in a loop, without any call, until another thread has grown the memory. Returns a byte of the new page.
  (func (export "until_grown") (result i32) (local $before i32)
    (local.set $before (memory.size))
    (i32.atomic.store (i32.const 256) (i32.const 1))
    (loop $again (br_if $again (i32.eq (memory.size) (local.get $before))))
    (i32.load8_u (i32.shl (local.get $before) (i32.const 16))))
  (func (export "grow") (result i32) (memory.grow (i32.const 1)))

  (func (export "wait32") (param i32 i32 i64) (result i32)
    (memory.atomic.wait32 (local.get 0) (local.get 1) (local.get 2)))
  (func (export "wait64") (param i32 i64 i64) (result i32)
    (memory.atomic.wait64 (local.get 0) (local.get 1) (local.get 2)))
  (func (export "notify") (param i32 i32) (result i32)
    (memory.atomic.notify (local.get 0) (local.get 1))))
