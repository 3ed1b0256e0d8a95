// Goroutines, channels, select with a timer, maps, closures, a recovered panic and a garbage-collected heap.
// Its .wasm is about 2 MB, so it is built where it is needed (scripts/build-components.sh) and not committed.
package main

import (
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"time"
)

type node struct {
	left, right *node
	value       int
}

func tree(depth int) *node {
	if depth == 0 {
		return &node{value: 1}
	}
	return &node{tree(depth - 1), tree(depth - 1), depth}
}

func (n *node) sum() int {
	if n == nil {
		return 0
	}
	return n.left.sum() + n.right.sum() + n.value
}

func guarded(what string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("recovered: %v", r)
		}
	}()
	switch what {
	case "index":
		var s []int
		_ = s[len(what)]
	case "nil":
		var n *node
		_ = n.value
	case "divide":
		_ = len(what) / (len(what) - 6)
	case "panic":
		panic(errors.New("own"))
	}
	return nil
}

func depth(n int) int {
	var pad [64]byte
	if n == 0 {
		return int(pad[0])
	}
	return depth(n-1) + 1 + int(pad[n%64])
}

func main() {
	jobs, results := make(chan int), make(chan int, 4)
	var wg sync.WaitGroup
	for w := 0; w < 8; w++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range jobs {
				results <- j * j
			}
		}()
	}
	go func() {
		for i := 1; i <= 1000; i++ {
			jobs <- i
		}
		close(jobs)
		wg.Wait()
		close(results)
	}()
	total := 0
	for r := range results {
		total += r
	}
	fmt.Println("squares:", total)

	silent := make(chan int)
	select {
	case <-silent:
		fmt.Println("impossible")
	case <-time.After(20 * time.Millisecond):
		fmt.Println("timer fired")
	}

	words := map[string]int{}
	for _, w := range strings.Fields("go runs here and go runs there") {
		words[w]++
	}
	keys := make([]string, 0, len(words))
	for k := range words {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		fmt.Printf("%s=%d ", k, words[k])
	}
	fmt.Println()

	for _, w := range []string{"index", "nil", "divide", "panic", "none"} {
		fmt.Println(w+":", guarded(w))
	}

	sum := 0
	for i := 0; i < 20; i++ {
		sum += tree(12).sum()
	}
	fmt.Println("trees:", sum)
	fmt.Println("depth:", depth(10000))
	fmt.Fprintln(os.Stderr, "leaving with 3")
	os.Exit(3)
}
