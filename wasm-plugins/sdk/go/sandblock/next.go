// SPDX-License-Identifier: MIT

//go:build wasip1

package sandblock

import (
	"encoding/binary"
	"runtime"
	"unsafe"
)

//go:wasmimport sandblock:v3 next_count
func hostNextCount() int32

//go:wasmimport sandblock:v3 next_size
func hostNextSize(handle, child int32) int64

//go:wasmimport sandblock:v3 next_info
func hostNextInfo(handle, child int32, out unsafe.Pointer) int32

//go:wasmimport sandblock:v3 next_forward
func hostNextForward(request, child int32, at, count, offset uint64, flags, token int32) int32

//go:wasmimport sandblock:v3 next_pread
func hostNextPread(h, child int32, p unsafe.Pointer, count, offset uint64, flags, token int32) int32

//go:wasmimport sandblock:v3 next_pwrite
func hostNextPwrite(h, child int32, p unsafe.Pointer, count, offset uint64, flags, token int32) int32

//go:wasmimport sandblock:v3 next_extents
func hostNextExtents(h, child int32, p unsafe.Pointer, count, offset uint64, flags, token int32) int32

//go:wasmimport sandblock:v3 next_flush
func hostNextFlush(handle, child, flags, token int32) int32

//go:wasmimport sandblock:v3 next_trim
func hostNextTrim(handle, child int32, count, offset uint64, flags, token int32) int32

//go:wasmimport sandblock:v3 next_zero
func hostNextZero(handle, child int32, count, offset uint64, flags, token int32) int32

//go:wasmimport sandblock:v3 next_cache
func hostNextCache(handle, child int32, count, offset uint64, flags, token int32) int32

//go:wasmimport sandblock:v3 next_secure_erase
func hostNextSecureErase(handle, child int32, count, offset uint64, flags, token int32) int32

//go:wasmimport sandblock:v3 next_ioctl
func hostNextIoctl(h, child, number int32, argument unsafe.Pointer, length uint32, token int32) int32

//go:wasmimport sandblock:v3 next_open
func hostNextOpen(name unsafe.Pointer, length uint32, flags int32) int32

//go:wasmimport sandblock:v3 next_close
func hostNextClose(handle int32)

//go:wasmimport sandblock:v3 next_reopen
func hostNextReopen(handle, flags int32) int32

//go:wasmimport sandblock:v3 next_list
func hostNextList(child int32, list unsafe.Pointer, capacity uint32) uint32

//go:wasmimport sandblock:v3 next_default
func hostNextDefault(child int32, name unsafe.Pointer, capacity uint32) int32

//go:wasmimport sandblock:v3 payload
func hostPayload(request int32, at uint64, p unsafe.Pointer, length uint32) int32

// Next is what is below a filter: a Device with all interfaces beside it. Its methods block
// the goroutine of the request that calls them.
type Next struct {
	handle int32
	child  int32
}

// OwnNext is what a filter has opened for itself.
type OwnNext struct{ *Next }

// OpenNext opens an export of what is below for work that belongs to no client.
func OpenNext(name string, readOnly bool) (*OwnNext, error) {
	defer runtime.KeepAlive(name)
	handle := hostNextOpen(pointer(name), uint32(len(name)), openFlags(readOnly))
	if handle < 0 {
		return nil, Errno(-handle)
	}
	return &OwnNext{&Next{handle: handle}}, nil
}

// Close closes it.
func (n *OwnNext) Close() error {
	hostNextClose(n.handle)
	return nil
}

// Reopen opens it again on all children, and closes what was open. Where that fails all stays as it was.
func (n *Next) Reopen(readOnly bool) error {
	return failure(hostNextReopen(n.handle, openFlags(readOnly)))
}

func openFlags(readOnly bool) int32 {
	if readOnly {
		return 1
	}
	return 0
}

// ExportsBelow lists the exports of a child.
func ExportsBelow(child int) ([]Export, error) {
	list := make([]byte, 4096)
	for {
		length := hostNextList(int32(child), unsafe.Pointer(&list[0]), uint32(len(list)))
		if length == 0 {
			return nil, EIO
		}
		if int(length) <= len(list) {
			return exportsIn(list[:length]), nil
		}
		list = make([]byte, length)
	}
}

// exportsIn reads a list: its number of entries, then for each two lengths and two texts.
func exportsIn(list []byte) []Export {
	number := func() (n uint32) {
		n, list = binary.LittleEndian.Uint32(list), list[4:]
		return n
	}
	text := func(length uint32) (t string) {
		t, list = string(list[:length]), list[length:]
		return t
	}
	all := make([]Export, number())
	for i := range all {
		name, description := number(), number()
		all[i] = Export{text(name), text(description)}
	}
	return all
}

// Bytes that the name of an export has at most.
const nameMax = 4096

// DefaultBelow is the default export of a child; false where there is none.
func DefaultBelow(child int) (string, bool, error) {
	name := make([]byte, nameMax)
	length := hostNextDefault(int32(child), unsafe.Pointer(&name[0]), nameMax)
	if Errno(-length) == ENOENT {
		return "", false, nil
	}
	if length < 0 {
		return "", false, Errno(-length)
	}
	return string(name[:length]), true, nil
}

// Count is the number of children.
func Count() int { return int(hostNextCount()) }

// Child is another one of the children, which are numbered from 0.
func (n *Next) Child(index int) *Next { return &Next{n.handle, int32(index)} }

// Size returns the number of bytes.
func (n *Next) Size() int64 { return hostNextSize(n.handle, n.child) }

// Info is what it can do.
func (n *Next) Info() (*Info, error) {
	info := &Info{structSize: uint32(unsafe.Sizeof(Info{}))}
	errno := hostNextInfo(n.handle, n.child, unsafe.Pointer(info))
	return info, failure(errno)
}

// ReadAt fills p.
func (n *Next) ReadAt(p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	defer runtime.KeepAlive(p)
	return len(p), failure(await(func(token int32) int32 {
		return hostNextPread(n.handle, n.child, unsafe.Pointer(&p[0]), uint64(len(p)), uint64(off), 0, token)
	}))
}

// WriteAt writes p, which must stay as it is meanwhile.
func (n *Next) WriteAt(p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	defer runtime.KeepAlive(p)
	return len(p), failure(await(func(token int32) int32 {
		return hostNextPwrite(n.handle, n.child, unsafe.Pointer(&p[0]), uint64(len(p)), uint64(off), 0, token)
	}))
}

// Flush brings what was written to stable storage.
func (n *Next) Flush() error {
	return failure(await(func(token int32) int32 {
		return hostNextFlush(n.handle, n.child, 0, token)
	}))
}

// Trim says that the content of a range does not matter any more.
func (n *Next) Trim(off, count int64) error {
	return failure(await(func(token int32) int32 {
		return hostNextTrim(n.handle, n.child, uint64(count), uint64(off), 0, token)
	}))
}

// Zero makes a range zero.
func (n *Next) Zero(off, count int64, mayTrim bool) error {
	return failure(await(func(token int32) int32 {
		return hostNextZero(n.handle, n.child, uint64(count), uint64(off), zeroFlags(mayTrim), token)
	}))
}

// Cache says that a range is going to be read soon.
func (n *Next) Cache(off, count int64) error {
	return failure(await(func(token int32) int32 {
		return hostNextCache(n.handle, n.child, uint64(count), uint64(off), 0, token)
	}))
}

// SecureErase has nothing of what is in a range be had back by any means.
func (n *Next) SecureErase(off, count int64) error {
	return failure(await(func(token int32) int32 {
		return hostNextSecureErase(n.handle, n.child, uint64(count), uint64(off), 0, token)
	}))
}

// Ioctl makes an ioctl. The argument has as many bytes as the number says, and the answer takes its place.
func (n *Next) Ioctl(number uint32, argument []byte) error {
	defer runtime.KeepAlive(argument)
	return failure(await(func(token int32) int32 {
		p := start(argument)
		return hostNextIoctl(n.handle, n.child, int32(number), p, uint32(len(argument)), token)
	}))
}

const extentsAtOnce = 1024

// Extents says what of a range is allocated, at least of its beginning.
func (n *Next) Extents(off, count int64, add func(Extent)) error {
	var list struct {
		capacity, count uint32
		extents         [extentsAtOnce]struct {
			length      uint64
			flags, zero uint32
		}
	}
	list.capacity = extentsAtOnce
	errno := await(func(token int32) int32 {
		p := unsafe.Pointer(&list)
		return hostNextExtents(n.handle, n.child, p, uint64(count), uint64(off), 0, token)
	})
	if errno != 0 {
		return failure(errno)
	}
	for _, e := range list.extents[:list.count] {
		add(Extent{int64(e.length), e.flags&1 != 0, e.flags&2 != 0})
	}
	return nil
}

func zeroFlags(mayTrim bool) int32 {
	if mayTrim {
		return flagMayTrim
	}
	return 0
}

func failure(errno int32) error {
	if errno == 0 {
		return nil
	}
	return Errno(errno)
}
