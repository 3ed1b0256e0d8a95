// Go: a prime sieve out of goroutines and channels, maps, sorting, strings, and trees for the garbage collector.
// `goroutines.wasm [PRIMES]`.
package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
)

func generate(to chan<- int) {
	for i := 2; ; i++ {
		to <- i
	}
}

func filter(from <-chan int, to chan<- int, prime int) {
	for {
		if i := <-from; i%prime != 0 {
			to <- i
		}
	}
}

type node struct{ left, right *node }

func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{tree(depth - 1), tree(depth - 1)}
}

func (n *node) count() int {
	if n.left == nil {
		return 1
	}
	return 1 + n.left.count() + n.right.count()
}

func main() {
	primes := 100
	if len(os.Args) > 1 {
		primes, _ = strconv.Atoi(os.Args[1])
	}
	numbers := make(chan int)
	go generate(numbers)
	var found []string
	for i := 0; i < primes; i++ {
		prime := <-numbers
		found = append(found, strconv.Itoa(prime))
		filtered := make(chan int)
		go filter(numbers, filtered, prime)
		numbers = filtered
	}
	digits := map[rune]int{}
	for _, c := range strings.Join(found, "") {
		digits[c]++
	}
	keys := make([]string, 0, len(digits))
	for c, n := range digits {
		keys = append(keys, fmt.Sprintf("%c:%d", c, n))
	}
	sort.Strings(keys)
	nodes := 0
	for i := 0; i < 4; i++ {
		nodes += tree(13).count()
	}
	fmt.Println(found[primes-1], strings.Join(keys, " "), nodes)
}
