;; A component with items of most kinds, which the fuzz target `component` changes.
(component $everything
    (import "a:b/c@0.2.0" (instance $host
        (export "r" (type $r (sub resource)))
        (type $e (enum "one" "two")) (export "e" (type $e' (eq $e)))
        (type $v (variant (case "x" u8) (case "y"))) (export "v" (type $v' (eq $v)))
        (export "[method]r.m" (func (param "self" (borrow $r)) (param "s" string) (result $v')))
        (export "f" (func (param "l" (list $e')) (result (result string (error u64)))))))
    (import "m" (core module $imported (import "x" "y" (func (param i32))) (export "z" (memory 1))))
    (alias export $host "r" (type $r))
    (core module $libc
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8)))
    (core instance $libc (instantiate $libc))
    (core func $f (canon lower (func $host "f") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
    (core func $drop (canon resource.drop $r))
    (core instance $other (instantiate $imported (with "x" (instance (export "y" (func $drop))))))
    (core module $main
        (import "host" "f" (func (param i32 i32 i32)))
        (import "libc" "memory" (memory 1))
        (func (export "run") (param i32) (result i32) (local.get 0)))
    (core instance $main (instantiate $main
        (with "host" (instance (export "f" (func $f))))
        (with "libc" (instance (export "memory" (memory $other "z"))))))
    (component $inner
        (type $t (resource (rep i32)))
        (export $t' "t" (type $t))
        (core func $new (canon resource.new $t))
        (func (export "[constructor]t") (param "rep" u32) (result (own $t')) (canon lift (core func $new))))
    (instance $inner (instantiate $inner))
    (func $run (param "x" u32) (result u32) (canon lift (core func $main "run")))
    (export "run" (func $run))
    (export "inner" (instance $inner)))
