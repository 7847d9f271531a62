// SPDX-License-Identifier: MIT

//go:build wasip1

package sandblock

import (
	"encoding/binary"
	"io"
	"runtime"
	"unsafe"
)

//go:wasmimport sandblock:v3 net_open
func hostNetOpen(address unsafe.Pointer, length uint32, token int32) int32

//go:wasmimport sandblock:v3 net_read
func hostNetRead(stream int32, buffer unsafe.Pointer, token int32) int32

//go:wasmimport sandblock:v3 net_write
func hostNetWrite(stream int32, p unsafe.Pointer, count uint64, token int32) int32

//go:wasmimport sandblock:v3 net_close
func hostNetClose(stream int32)

// Conn is a connection by TCP to where the user has granted it: the manifest asks for the capability
// net. Its methods block the goroutine of a request or of Go, never a call like Ready or Open. One
// Read and one Write may be under way at a time.
type Conn struct {
	number int32
	closed bool
	// Tokens of what is under way, 0 for nothing.
	reading, writing int32
}

// Dial connects to HOST:PORT, written as it was granted.
func Dial(address string) (*Conn, error) {
	conn := &Conn{}
	errno := await(func(token int32) int32 {
		conn.number = hostNetOpen(pointer(address), uint32(len(address)), token)
		if conn.number < 0 {
			return -conn.number
		}
		return pending
	})
	runtime.KeepAlive(address)
	if errno == 0 {
		return conn, nil
	}
	if conn.number >= 0 {
		hostNetClose(conn.number)
	}
	return nil, Errno(errno)
}

// What net_read fills in begins with the room and the number of bytes.
const netHeader = 8

// Read reads what there is, as soon as there is something. io.EOF: the other side has ended it.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	buffer := make([]byte, netHeader+len(p))
	binary.LittleEndian.PutUint32(buffer, uint32(len(p)))
	errno := c.await(&c.reading, func(token int32) int32 {
		return hostNetRead(c.number, unsafe.Pointer(&buffer[0]), token)
	})
	if errno != 0 {
		return 0, Errno(errno)
	}
	n := binary.LittleEndian.Uint32(buffer[4:])
	if n == 0 {
		return 0, io.EOF
	}
	return copy(p, buffer[netHeader:netHeader+n]), nil
}

// Write sends all of p, which must stay as it is meanwhile.
func (c *Conn) Write(p []byte) (int, error) {
	defer runtime.KeepAlive(p)
	return moved(p, c.await(&c.writing, func(token int32) int32 {
		return hostNetWrite(c.number, start(p), uint64(len(p)), token)
	}))
}

// Close closes it. A Read or Write that is under way fails with ESHUTDOWN.
func (c *Conn) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	hostNetClose(c.number)
	// The host tells nobody any more.
	for _, token := range []int32{c.reading, c.writing} {
		if w := waiters[token]; w != nil {
			w.end(token, int32(ESHUTDOWN))
		}
	}
	return nil
}

func (c *Conn) await(underWay *int32, begin func(token int32) int32) int32 {
	if c.closed {
		return int32(ESHUTDOWN)
	}
	mine := false
	errno := await(func(token int32) int32 {
		result := begin(token)
		if mine = result == pending; mine {
			*underWay = token
		}
		return result
	})
	if mine {
		*underWay = 0
	}
	return errno
}
