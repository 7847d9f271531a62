// SPDX-License-Identifier: MIT

//go:build wasip1

package sandblock

import (
	"runtime"
	"unsafe"
)

//go:wasmimport sandblock:v3 file_open
func hostFileOpen(path unsafe.Pointer, length uint32, flags int32) int32

//go:wasmimport sandblock:v3 file_close
func hostFileClose(file int32)

//go:wasmimport sandblock:v3 file_size
func hostFileSize(file int32) int64

//go:wasmimport sandblock:v3 file_resize
func hostFileResize(file int32, size uint64) int32

//go:wasmimport sandblock:v3 file_pread
func hostFilePread(file int32, p unsafe.Pointer, count, offset uint64, flags, token int32) int32

//go:wasmimport sandblock:v3 file_pwrite
func hostFilePwrite(file int32, p unsafe.Pointer, count, offset uint64, flags, token int32) int32

//go:wasmimport sandblock:v3 file_sync
func hostFileSync(file, flags, token int32) int32

//go:wasmimport sandblock:v3 file_zero
func hostFileZero(file int32, count, offset uint64, flags, token int32) int32

// How a file is opened. All but FileRead and FileLock are for writing and reading; they can be combined.
const (
	FileRead      = 0
	FileWrite     = 1
	FileCreate    = FileWrite | 2  // made where there is none
	FileExclusive = FileCreate | 4 // fails with EEXIST where there is one
	FileTruncate  = FileWrite | 8  // made empty
	FileLock      = 16             // fails with EBUSY where somebody has it open like this
)

// File is a file that the user has granted: the manifest asks for the capability read or write. In
// methods that serve requests its methods block the goroutine, so a plugin has Concurrent: true; in
// Ready, Open and so on they hold up everything.
type File struct{ number int32 }

// OpenFile opens a file. A relative path starts at the first directory that was granted.
func OpenFile(path string, how int) (*File, error) {
	defer runtime.KeepAlive(path)
	number := hostFileOpen(pointer(path), uint32(len(path)), int32(how))
	if number < 0 {
		return nil, Errno(-number)
	}
	return &File{number}, nil
}

// Close closes it. What is under way is finished all the same.
func (f *File) Close() error {
	hostFileClose(f.number)
	return nil
}

// Size returns the number of bytes.
func (f *File) Size() (int64, error) {
	size := hostFileSize(f.number)
	if size < 0 {
		return 0, Errno(-size)
	}
	return size, nil
}

// Truncate cuts it off, or makes it longer by a hole.
func (f *File) Truncate(size int64) error {
	return failure(hostFileResize(f.number, uint64(size)))
}

// ReadAt fills p, or fails: with ENODATA where the file ends before.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	defer runtime.KeepAlive(p)
	return moved(p, wait(func(token int32) int32 {
		return hostFilePread(f.number, start(p), uint64(len(p)), uint64(off), 0, token)
	}))
}

// WriteAt writes p, which must stay as it is meanwhile. The file grows as needed.
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	defer runtime.KeepAlive(p)
	return moved(p, wait(func(token int32) int32 {
		return hostFilePwrite(f.number, start(p), uint64(len(p)), uint64(off), 0, token)
	}))
}

// Sync brings what was written, and the size, to stable storage.
func (f *File) Sync() error {
	return failure(wait(func(token int32) int32 { return hostFileSync(f.number, 0, token) }))
}

// Zero makes a range zero, as far as the file has it. mayTrim: it takes no space any more. EOPNOTSUPP
// where the filesystem cannot.
func (f *File) Zero(off, n int64, mayTrim bool) error {
	return failure(wait(func(token int32) int32 {
		return hostFileZero(f.number, uint64(n), uint64(off), zeroFlags(mayTrim), token)
	}))
}

// start is where p lies; nil where it is empty.
func start(p []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(p)) }

// moved is what ReadAt and WriteAt return.
func moved(p []byte, errno int32) (int, error) {
	if errno != 0 {
		return 0, Errno(errno)
	}
	return len(p), nil
}
