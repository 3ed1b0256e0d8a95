;; Annotations of branches. A hint changes no result, whether it is right or not.

(module
  (func $slow (param i32) (result i32) (i32.mul (local.get 0) (i32.const 100)))
  ;; The arm that is seldom executed first, last, and both.
  (func (export "arms") (param i32 i32) (result i32)
    (@metadata.code.branch_hint "\00")
    (if (result i32) (local.get 0)
      (then (@metadata.code.branch_hint "\01") (if (result i32) (local.get 1) (then (i32.const 1)) (else (call $slow (i32.const 2)))))
      (else (@metadata.code.branch_hint "\01") (if (result i32) (local.get 1) (then (i32.const 3)) (else (i32.const 4))))))
  ;; A block that only branches which are seldom taken leave to.
  (func (export "leave") (param i32 i32) (result i32)
    (block $out (result i32)
      (block $rare
        local.get 0
        (@metadata.code.branch_hint "\00")
        br_if $rare
        (i32.const 10)
        (br_if $out (local.get 1))
        drop
        (i32.const 20)
        (br $out))
      (call $slow (local.get 0))))
  (func (export "loop") (param i32) (result i32)
    (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (local.get 0)))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      local.get 0
      (@metadata.code.branch_hint "\01")
      br_if $again)
    (local.get $sum)))

(assert_return (invoke "arms" (i32.const 0) (i32.const 0)) (i32.const 4))
(assert_return (invoke "arms" (i32.const 0) (i32.const 1)) (i32.const 3))
(assert_return (invoke "arms" (i32.const 1) (i32.const 0)) (i32.const 200))
(assert_return (invoke "arms" (i32.const 1) (i32.const 1)) (i32.const 1))
(assert_return (invoke "leave" (i32.const 0) (i32.const 0)) (i32.const 20))
(assert_return (invoke "leave" (i32.const 0) (i32.const 1)) (i32.const 10))
(assert_return (invoke "leave" (i32.const 7) (i32.const 1)) (i32.const 700))
(assert_return (invoke "loop" (i32.const 10)) (i32.const 55))

(assert_malformed_custom
  (module quote "(func (param i32) local.get 0 (@metadata.code.branch_hint \"\\00\") (@metadata.code.branch_hint \"\\01\") if end)")
  "duplicate annotation")
(assert_malformed_custom
  (module quote "(func (param i32) local.get 0 (@metadata.code.branch_hint \"\\02\") if end)")
  "invalid value")
(assert_malformed_custom
  (module quote "(module (@metadata.code.branch_hint \"\\01\") (func))")
  "not in a function")
(assert_invalid_custom
  (module (func (param i32) local.get 0 (@metadata.code.branch_hint "\01") drop))
  "invalid target")

;; Sections that cannot be used are ignored: a function that is not there, hints out of order, and a truncated one.
(module binary "\00asm\01\00\00\00" "\01\04\01\60\00\00" "\03\02\01\00"
  "\00\20\19metadata.code.branch_hint" "\01\07\01\01\01\00"
  "\0a\04\01\02\00\0b")
(module binary "\00asm\01\00\00\00" "\01\04\01\60\00\00" "\03\02\01\00"
  "\00\23\19metadata.code.branch_hint" "\01\00\02\02\01\00\01\01\00"
  "\0a\05\01\03\00\01\0b")
(module binary "\00asm\01\00\00\00" "\01\04\01\60\00\00" "\03\02\01\00"
  "\00\1c\19metadata.code.branch_hint" "\7f\00"
  "\0a\04\01\02\00\0b")
