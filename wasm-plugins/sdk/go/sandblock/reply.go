// SPDX-License-Identifier: MIT

//go:build wasip1

package sandblock

import "unsafe"

// Reply is a read that waits for its answer: pieces in ascending order without gaps,
// whose places count from the start of the request.
type Reply struct {
	request int32
	// Offset and Length are what is read.
	Offset, Length int64
	next           int64
}

// Stable answers the next len(p) bytes with p, which nobody copies: it must stay as it
// is until the next write to the device, and is usually part of the device's memory.
func (r *Reply) Stable(p []byte) { r.data(p, 1) }

// Data answers the next len(p) bytes with a copy of p.
func (r *Reply) Data(p []byte) { r.data(p, 0) }

func (r *Reply) data(p []byte, flags int32) {
	if len(p) == 0 {
		return
	}
	hostReplyData(r.request, uint64(r.next), unsafe.Pointer(&p[0]), uint64(len(p)), flags)
	r.next += int64(len(p))
}

// Buffer answers the next n bytes with a buffer that is to be filled before the request
// is done; nil where there is no memory.
func (r *Reply) Buffer(n int64) []byte {
	buffer := view(hostReplyBuffer(r.request, uint64(r.next), uint64(n)), uint64(n))
	r.next += n
	return buffer
}

// Zero answers the next n bytes with zeroes. hole: they take no space.
func (r *Reply) Zero(n int64, hole bool) {
	var flags int32
	if hole {
		flags = 1
	}
	hostReplyZero(r.request, uint64(r.next), uint64(n), flags)
	r.next += n
}

// From has the next n bytes answered by what is below, from off on there, without copying them. After an
// error none of them is answered: another child can be asked, or Fail called.
func (r *Reply) From(next *Next, n, off int64) error {
	errno := await(func(token int32) int32 {
		return hostNextForward(r.request, next.child, uint64(r.next), uint64(n), uint64(off), flagWhole, token)
	})
	if errno == 0 {
		r.next += n
	}
	return failure(errno)
}

// Restart forgets all answers so far.
func (r *Reply) Restart() {
	hostReplyRestart(r.request)
	r.next = 0
}

// Fail says that the next n bytes cannot be read.
func (r *Reply) Fail(n int64, errno Errno) {
	hostReplyError(r.request, uint64(r.next), uint64(n), int32(errno))
	r.next += n
}

// Write is a write that a filter passes on.
type Write struct {
	request int32
	// Offset and Length are what is written.
	Offset, Length int64
}

// Payload copies len(p) bytes of the data, from at on, to p.
func (w *Write) Payload(p []byte, at int64) error {
	return failure(hostPayload(w.request, uint64(at), start(p), uint32(len(p))))
}
