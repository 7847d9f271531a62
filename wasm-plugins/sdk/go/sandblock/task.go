// SPDX-License-Identifier: MIT

//go:build wasip1

package sandblock

import (
	"runtime"
	"time"
)

// A request may be served in a goroutine, which goes on in later calls of the host when it
// waits for something. Goroutines only run while the host is in a call.

const pending = -1

// As often others get their turn before a call returns with its request pending. A goroutine
// that waits for another one rather than for the host, for a lock say, is found by that.
const turnsMax = 100

// task is the goroutine of a request.
type task struct {
	done    bool
	status  int32
	left    bool // its call has returned
	request int32
}

// parks counts how often a goroutine began to wait for the host.
var parks int

// serve runs handle for a request: directly, or in a goroutine.
func serve(request int32, handle func() error) int32 {
	if !plugin.concurrent {
		return status(handle())
	}
	t := &task{request: request}
	go t.run(handle)
	t.takeTurns()
	if t.done {
		return t.status
	}
	t.left = true
	return pending
}

func (t *task) run(handle func() error) {
	err := handle()
	t.done = true
	t.status = status(err)
	if t.left {
		hostComplete(t.request, t.status)
	}
}

// takeTurns lets goroutines run until this one is done, or waits.
func (t *task) takeTurns() {
	before := parks
	for turn := 0; turn < turnsMax && !t.done && parks == before; turn++ {
		runtime.Gosched()
	}
}

// waiter is a goroutine that waits for the end of what it has begun with a token.
type waiter struct {
	ended  chan int32
	parked bool
}

var (
	waiters = map[int32]*waiter{}
	last    int32
)

// await begins something with a token and waits for its end. begin returns 0, an error number or
// pending.
func await(begin func(token int32) int32) int32 {
	for {
		last = last&0x3fffffff + 1
		if waiters[last] == nil {
			break
		}
	}
	token := last
	result := begin(token)
	if result != pending {
		return result
	}
	w := &waiter{ended: make(chan int32, 1)}
	waiters[token] = w
	parks++
	return <-w.ended
}

//go:wasmexport sb_done
func done(token, result int32) {
	w := waiters[token]
	if w == nil {
		return
	}
	delete(waiters, token)
	w.ended <- result
	before := parks
	for turn := 0; turn < turnsMax && parks == before; turn++ {
		runtime.Gosched()
	}
}

// Sleep lets a goroutine of a request wait without keeping others from being served. (time.Sleep
// returns at once, for nobody waits for a plugin.)
func Sleep(duration time.Duration) {
	await(func(token int32) int32 {
		if errno := hostTimer(uint64(max(duration, 0)), token); errno != 0 {
			return errno
		}
		return pending
	})
}
