// SPDX-License-Identifier: MIT

//go:build wasip1

package sandblock

import (
	"runtime"
	"time"
	"unsafe"
)

// The functions of the host that are not about what is below, files or connections (ABI, sections 6,
// 14, 16, 17). What is not used is not imported.

//go:wasmimport sandblock:v3 reply_data
func hostReplyData(request int32, at uint64, data unsafe.Pointer, length uint64, flags int32)

//go:wasmimport sandblock:v3 reply_buffer
func hostReplyBuffer(request int32, at uint64, length uint64) unsafe.Pointer

//go:wasmimport sandblock:v3 reply_zero
func hostReplyZero(request int32, at uint64, length uint64, flags int32)

//go:wasmimport sandblock:v3 reply_error
func hostReplyError(request int32, at uint64, length uint64, errno int32)

//go:wasmimport sandblock:v3 extent
func hostExtent(request int32, length uint64, flags int32)

//go:wasmimport sandblock:v3 error_text
func hostErrorText(text unsafe.Pointer, length uint32)

//go:wasmimport sandblock:v3 export_add
func hostExportAdd(name unsafe.Pointer, nameLength uint32, text unsafe.Pointer, length uint32)

//go:wasmimport sandblock:v3 export_default
func hostExportDefault(name unsafe.Pointer, length uint32)

//go:wasmimport sandblock:v3 peer
func hostPeer(text unsafe.Pointer, capacity uint32) uint32

//go:wasmimport sandblock:v3 log
func hostLog(level int32, text unsafe.Pointer, length uint32)

//go:wasmimport sandblock:v3 complete
func hostComplete(request int32, errno int32)

//go:wasmimport sandblock:v3 release
func hostRelease(memory unsafe.Pointer, length uint32)

//go:wasmimport sandblock:v3 reply_restart
func hostReplyRestart(request int32)

//go:wasmimport sandblock:v3 timer
func hostTimer(nanoseconds uint64, token int32) int32

//go:wasmimport sandblock:v3 cancel
func hostCancel(token int32) int32

//go:wasmimport sandblock:v3 metric
func hostMetric(index int32, value int64)

//go:wasmimport sandblock:v3 resize
func hostResize(handle int32, size uint64) int32

//go:wasmimport sandblock:v3 block_advice
func hostBlockAdvice(minimum, preferred, maximum int32)

//go:wasmimport sandblock:v3 feature
func hostFeature(name unsafe.Pointer, length uint32) int32

//go:wasmimport sandblock:v3 clock
func hostClock(which int32) int64

//go:wasmimport sandblock:v3 random
func hostRandom(memory unsafe.Pointer, length uint32) int32

// Level of a line in the log.
type Level int32

const (
	LevelError Level = iota
	LevelWarning
	LevelInfo
	LevelDebug
)

// Log writes a line to the host's log. So does what is printed to standard output
// (info) and standard error (warning).
func Log(level Level, text string) {
	hostLog(int32(level), pointer(text), uint32(len(text)))
	runtime.KeepAlive(text)
}

// Metric sets a counter or gauge, or adds an observation to a histogram, by its position in the
// manifest's metrics.
func Metric(index int, value int64) { hostMetric(int32(index), value) }

// HasFeature says whether the host has a feature, or the user has granted a capability.
func HasFeature(name string) bool {
	defer runtime.KeepAlive(name)
	return hostFeature(pointer(name), uint32(len(name))) == 1
}

// Peer is who an export is opened for, such as unix:pid=12,uid=0,gid=0; only within Open.
func Peer() string {
	text := make([]byte, 256)
	for {
		length := hostPeer(unsafe.Pointer(&text[0]), uint32(len(text)))
		if int(length) <= len(text) {
			return string(text[:length])
		}
		text = make([]byte, length)
	}
}

// Release makes memory zero, and gives whole pages of it back to the system until they are written again.
func Release(p []byte) {
	if len(p) > 0 {
		hostRelease(unsafe.Pointer(&p[0]), uint32(len(p)))
	}
}

// Resized tells the host that sizes have changed: Size of everything that is open is asked again. Clients
// that open it later see the new size.
func Resized() error {
	for handle, device := range devices {
		sized, ok := device.(interface{ Size() int64 })
		if !ok {
			continue
		}
		if errno := hostResize(int32(handle), uint64(sized.Size())); errno != 0 {
			return Errno(errno)
		}
	}
	return nil
}

// Now is what time it is. Needs the capability clock.
func Now() (time.Time, error) {
	nanoseconds := hostClock(0)
	if nanoseconds < 0 {
		return time.Time{}, Errno(-nanoseconds)
	}
	return time.Unix(0, nanoseconds), nil
}

// Monotonic is the time since some moment, which never goes back. Needs the capability clock.
func Monotonic() (time.Duration, error) {
	nanoseconds := hostClock(1)
	if nanoseconds < 0 {
		return 0, Errno(-nanoseconds)
	}
	return time.Duration(nanoseconds), nil
}

// Bytes that the host gives at once.
const randomMax = 65536

// Random fills p with numbers that nobody can guess. Needs the capability random.
func Random(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), randomMax)
		if errno := hostRandom(unsafe.Pointer(&p[0]), uint32(n)); errno != 0 {
			return Errno(errno)
		}
		p = p[n:]
	}
	return nil
}

func setErrorText(text string) {
	hostErrorText(pointer(text), uint32(len(text)))
	runtime.KeepAlive(text)
}

func exportAdd(name, description string) {
	hostExportAdd(pointer(name), uint32(len(name)), pointer(description), uint32(len(description)))
	runtime.KeepAlive(name)
	runtime.KeepAlive(description)
}

func exportDefault(name string) {
	hostExportDefault(pointer(name), uint32(len(name)))
	runtime.KeepAlive(name)
}

func pointer(text string) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData(text)) }

// view is memory of the host's as a slice. Without length there may be no pointer.
func view(data unsafe.Pointer, length uint64) []byte {
	if length == 0 || data == nil {
		return nil
	}
	return unsafe.Slice((*byte)(data), int(length))
}
