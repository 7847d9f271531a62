// SPDX-License-Identifier: MIT

//go:build wasip1

package sandblock

import (
	"runtime"
	"unsafe"
)

// The functions of the host (ABI, sections 6, 14, 15, 16).

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

//go:wasmimport sandblock:v3 log
func hostLog(level int32, text unsafe.Pointer, length uint32)

//go:wasmimport sandblock:v3 complete
func hostComplete(request int32, errno int32)

//go:wasmimport sandblock:v3 timer
func hostTimer(nanoseconds uint64, token int32) int32

//go:wasmimport sandblock:v3 metric
func hostMetric(index int32, value int64)

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

// Metric sets a number by its position in the manifest's metrics.
func Metric(index int, value int64) { hostMetric(int32(index), value) }

func setErrorText(text string) {
	hostErrorText(pointer(text), uint32(len(text)))
	runtime.KeepAlive(text)
}

func exportAdd(name, description string) {
	hostExportAdd(pointer(name), uint32(len(name)), pointer(description), uint32(len(description)))
	runtime.KeepAlive(name)
	runtime.KeepAlive(description)
}

func pointer(text string) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData(text)) }

// view is memory of the host's as a slice. Without length there may be no pointer.
func view(data unsafe.Pointer, length uint64) []byte {
	if length == 0 || data == nil {
		return nil
	}
	return unsafe.Slice((*byte)(data), int(length))
}
