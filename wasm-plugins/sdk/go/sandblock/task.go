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

var (
	// parks counts how often a goroutine began to wait for the host.
	parks int
	// A call that is for no request is under way, Ready say: all there is waits for what it waits for.
	inControl bool
	// A request is served without a goroutine.
	inRequest bool
)

// control runs a call of the host that is for no request.
func control[T any](run func() T) T {
	inControl = true
	defer func() { inControl = false }()
	return run()
}

// serve runs handle for a request: directly, or in a goroutine.
func serve(request int32, handle func() error) int32 {
	if !plugin.concurrent {
		inRequest = true
		defer func() { inRequest = false }()
		return status(handle())
	}
	t := &task{request: request}
	go t.run(handle)
	takeTurns(&t.done)
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

// takeTurns lets goroutines run until one of them is done, or waits.
func takeTurns(done *bool) {
	before := parks
	for turn := 0; turn < turnsMax && !*done && parks == before; turn++ {
		runtime.Gosched()
	}
}

// measured is a Size that has begun.
type measured struct {
	done bool
	size int64
}

// Those that are under way, by handle.
var measuring = map[int32]*measured{}

// measure is the size of what a filter has opened, which may have to read what is below for that: EAGAIN
// has the host ask again later.
func measure(handle int32, device interface{ Size() int64 }) int64 {
	m := measuring[handle]
	if m == nil {
		m = &measured{}
		measuring[handle] = m
		go func() { m.size, m.done = device.Size(), true }()
	}
	takeTurns(&m.done)
	if !m.done {
		return -int64(EAGAIN)
	}
	delete(measuring, handle)
	return m.size
}

// waiter is a goroutine that waits for the end of what it has begun with a token.
type waiter struct{ ended chan int32 }

func (w *waiter) end(token, result int32) {
	delete(waiters, token)
	w.ended <- result
}

var (
	waiters = map[int32]*waiter{}
	last    int32
)

// freeToken is one that nothing waits with.
func freeToken() int32 {
	for {
		last = last&0x3fffffff + 1
		if waiters[last] == nil {
			return last
		}
	}
}

func newWaiter(token int32) *waiter {
	w := &waiter{ended: make(chan int32, 1)}
	waiters[token] = w
	return w
}

// await begins something with a token and waits for its end. begin returns 0, an error number or
// pending.
func await(begin func(token int32) int32) int32 {
	if inControl || inRequest {
		setErrorText(cannotWait())
		return int32(EDEADLK)
	}
	token := freeToken()
	result := begin(token)
	if result != pending {
		return result
	}
	parks++
	return <-newWaiter(token).ended
}

func cannotWait() string {
	if inControl {
		return "a call that is for no request cannot wait, other than for files; start a goroutine in it"
	}
	return "a plugin whose requests wait says so by Concurrent: true"
}

// wait is the same for files, for which calls that are for no request can wait.
func wait(begin func(token int32) int32) int32 {
	if inControl {
		return begin(0)
	}
	return await(begin)
}

//go:wasmexport sb_done
func done(token, result int32) {
	w := waiters[token]
	if w == nil {
		return
	}
	w.end(token, result)
	never := false
	takeTurns(&never)
}

// Sleep lets a goroutine of a request wait without keeping others from being served. (time.Sleep
// returns at once, for nobody waits for a plugin.)
func Sleep(duration time.Duration) {
	await(func(token int32) int32 { return setTimer(duration, token) })
}

func setTimer(duration time.Duration, token int32) int32 {
	if errno := hostTimer(uint64(max(duration, 0)), token); errno != 0 {
		return errno
	}
	return pending
}

// Timer is what AfterFunc has begun.
type Timer struct {
	token  int32
	waiter *waiter
}

// stopped is what a goroutine gets whose timer was taken back.
const stopped = -1

// AfterFunc calls f in a goroutine when the time has passed.
func AfterFunc(duration time.Duration, f func()) (*Timer, error) {
	token := freeToken()
	if errno := setTimer(duration, token); errno != pending {
		return nil, Errno(errno)
	}
	w := newWaiter(token)
	go func() {
		if <-w.ended != stopped {
			f()
		}
	}()
	return &Timer{token, w}, nil
}

// Stop takes a timer back. False: it has fired, or was stopped before.
func (t *Timer) Stop() bool {
	if waiters[t.token] != t.waiter || hostCancel(t.token) == 0 {
		return false
	}
	t.waiter.end(t.token, stopped)
	return true
}
