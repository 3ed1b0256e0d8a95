;; Instances: the order of start functions and destructors, what a failed one says, and who owns a resource.

;; A start function may call an import before the memory exists that the import's options name. That is a trap.
(assert_trap
  (component
    (component $callee
      (core module $m
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8))
        (func (export "f") (param i32 i32)))
      (core instance $i (instantiate $m))
      (func (export "f") (param "s" string)
        (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
    (instance $callee (instantiate $callee))
    (core module $table (table (export "table") 1 funcref))
    (core instance $table (instantiate $table))
    (core module $shim
      (import "" "table" (table 1 funcref))
      (func (export "call") (param i32 i32) (local.get 0) (local.get 1) (i32.const 0) (call_indirect (param i32 i32))))
    (core instance $shim (instantiate $shim (with "" (instance (export "table" (table $table "table"))))))
    (core module $main
      (import "" "call" (func $call (param i32 i32)))
      (memory (export "memory") 1)
      (func $start (call $call (i32.const 0) (i32.const 3)))
      (start $start))
    (core instance $main (instantiate $main (with "" (instance (export "call" (func $shim "call"))))))
    (core func $f (canon lower (func $callee "f") (memory (core memory $main "memory"))))
    (core module $fix
      (import "" "table" (table 1 funcref))
      (import "" "f" (func $f (param i32 i32)))
      (elem (i32.const 0) func $f))
    (core instance (instantiate $fix (with "" (instance (export "table" (table $table "table")) (export "f" (func $f)))))))
  "uninitialized element")

;; Start functions run in the order of instantiation, and each sees what those before it did.
(component
  (core module $counter
    (global (export "count") (mut i32) (i32.const 1)))
  (core instance $counter (instantiate $counter))
  (core module $double
    (import "" "count" (global $count (mut i32)))
    (func $start (global.set $count (i32.mul (global.get $count) (i32.const 2))))
    (start $start))
  (core module $add
    (import "" "count" (global $count (mut i32)))
    (func $start (global.set $count (i32.add (global.get $count) (i32.const 3))))
    (func (export "get") (result i32) (global.get $count))
    (start $start))
  (core instance (instantiate $double (with "" (instance $counter))))
  (core instance $add (instantiate $add (with "" (instance $counter))))
  (core instance (instantiate $double (with "" (instance $counter))))
  (func (export "get") (result u32) (canon lift (core func $add "get"))))
(assert_return (invoke "get") (u32.const 10))

;; Two instances of one component have different resource types: a handle of one is no handle of the other.
(component
  (component $maker
    (type $r' (resource (rep i32)))
    (export $r "r" (type $r'))
    (core func $new (canon resource.new $r'))
    (core module $m
      (import "" "new" (func $new (param i32) (result i32)))
      (func (export "make") (result i32) (call $new (i32.const 7)))
      (func (export "rep") (param i32) (result i32) (local.get 0)))
    (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
    (func (export "make") (result (own $r)) (canon lift (core func $i "make")))
    (func (export "rep") (param "self" (borrow $r)) (result u32) (canon lift (core func $i "rep"))))
  (instance $a (instantiate $maker))
  (instance $b (instantiate $maker))
  (core func $make-a (canon lower (func $a "make")))
  (core func $rep-a (canon lower (func $a "rep")))
  (core func $rep-b (canon lower (func $b "rep")))
  (core module $main
    (import "" "make-a" (func $make-a (result i32)))
    (import "" "rep-a" (func $rep-a (param i32) (result i32)))
    (import "" "rep-b" (func $rep-b (param i32) (result i32)))
    (func (export "same") (result i32) (call $rep-a (call $make-a)))
    (func (export "other") (result i32) (call $rep-b (call $make-a))))
  (core instance $main (instantiate $main (with "" (instance
    (export "make-a" (func $make-a)) (export "rep-a" (func $rep-a)) (export "rep-b" (func $rep-b))))))
  (func (export "same") (result u32) (canon lift (core func $main "same")))
  (func (export "other") (result u32) (canon lift (core func $main "other"))))
(assert_return (invoke "same") (u32.const 7))
(assert_trap (invoke "other") "handle index 2 used with the wrong type")

;; A destructor runs when the last owner drops the resource, in the component that defined it, before the drop returns.
(component
  (component $maker
    (core module $m
      (global $log (mut i32) (i32.const 0))
      (func (export "dtor") (param i32) (global.set $log (i32.add (i32.mul (global.get $log) (i32.const 10)) (local.get 0))))
      (func (export "log") (result i32) (global.get $log)))
    (core instance $i (instantiate $m))
    (type $r' (resource (rep i32) (dtor (core func $i "dtor"))))
    (export $r "r" (type $r'))
    (core func $new (canon resource.new $r'))
    (core module $n
      (import "" "new" (func $new (param i32) (result i32)))
      (func (export "make") (param i32) (result i32) (call $new (local.get 0))))
    (core instance $j (instantiate $n (with "" (instance (export "new" (func $new))))))
    (func (export "make") (param "rep" u32) (result (own $r)) (canon lift (core func $j "make")))
    (func (export "log") (result u32) (canon lift (core func $i "log"))))
  (instance $a (instantiate $maker))
  (alias export $a "r" (type $r))
  (core func $make (canon lower (func $a "make")))
  (core func $log (canon lower (func $a "log")))
  (core func $drop (canon resource.drop $r))
  (core module $main
    (import "" "make" (func $make (param i32) (result i32)))
    (import "" "log" (func $log (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "f") (result i32) (local $one i32) (local $two i32)
      (local.set $one (call $make (i32.const 1)))
      (local.set $two (call $make (i32.const 2)))
      (if (call $log) (then unreachable))
      (call $drop (local.get $two))
      (if (i32.ne (call $log) (i32.const 2)) (then unreachable))
      (call $drop (local.get $one))
      (call $log))
    (func (export "twice") (local $one i32)
      (local.set $one (call $make (i32.const 1)))
      (call $drop (local.get $one))
      (call $drop (local.get $one))))
  (core instance $main (instantiate $main (with "" (instance
    (export "make" (func $make)) (export "log" (func $log)) (export "drop" (func $drop))))))
  (func (export "f") (result u32) (canon lift (core func $main "f")))
  (func (export "twice") (canon lift (core func $main "twice"))))
(assert_return (invoke "f") (u32.const 21))
(assert_trap (invoke "twice") "unknown handle index")
;; The instance that failed is not entered again.
(assert_trap (invoke "f") "cannot enter component instance")
