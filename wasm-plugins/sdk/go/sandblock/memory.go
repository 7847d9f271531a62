// SPDX-License-Identifier: MIT

//go:build wasip1

package sandblock

import "unsafe"

// What the host has allocated, so that the garbage collector keeps it.
var allocated = map[uint32][]byte{}

//go:wasmexport sb_alloc
func alloc(size, alignment uint32) uint32 {
	block := make([]byte, uint64(size)+uint64(alignment))
	start := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(block))))
	at := (start + alignment - 1) &^ (alignment - 1)
	allocated[at] = block
	return at
}

//go:wasmexport sb_free
func free(at, _, _ uint32) { delete(allocated, at) }
