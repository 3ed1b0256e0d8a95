;; Import sections with groups: several items of a module, and several names of one type.

(module $m
  (func (export "a") (result i32) (i32.const 1))
  (func (export "b") (result i32) (i32.const 2))
  (func (export "c") (result i32) (i32.const 3))
  (global (export "g") i32 (i32.const 40)))
(register "m" $m)

;; A group of items with types of their own: function "a", global "g".
(module binary "\00asm\01\00\00\00" "\01\05\01\60\00\01\7f"
  "\02\0f\01" "\01m" "\00\7f" "\02" "\01a\00\00" "\01g\03\7f\00"
  "\03\02\01\00" "\07\05\01\01r\00\01" "\0a\09\01\07\00\10\00\23\00\6a\0b")
(assert_return (invoke "r") (i32.const 41))

;; A group of names with one type: functions "a", "b", "c".
(module binary "\00asm\01\00\00\00" "\01\05\01\60\00\01\7f"
  "\02\0e\01" "\01m" "\00\7e" "\00\00" "\03" "\01a" "\01b" "\01c"
  "\03\02\01\00" "\07\05\01\01r\00\03" "\0a\0c\01\0a\00\10\00\10\01\6a\10\02\6a\0b")
(assert_return (invoke "r") (i32.const 6))

;; Each import of a group is linked by itself.
(assert_unlinkable
  (module binary "\00asm\01\00\00\00" "\01\05\01\60\00\01\7f"
    "\02\0e\01" "\01m" "\00\7e" "\00\00" "\03" "\01a" "\01b" "\01x")
  "unknown import")
(assert_malformed
  (module binary "\00asm\01\00\00\00" "\01\05\01\60\00\01\7f"
    "\02\0c\01" "\01m" "\00\7e" "\00\00" "\03" "\01a" "\01b")
  "unexpected end")
