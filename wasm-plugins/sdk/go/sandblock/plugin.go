// SPDX-License-Identifier: MIT

//go:build wasip1

// Package sandblock makes block devices for sandblock in Go. A plugin is a
// program of one's own that registers itself in init and is built with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared
//
// What a device can do follows from the methods that it has: Device is needed,
// io.WriterAt, Flusher, Trimmer, Zeroer, Extenter, Cacher, SecureEraser and Controller
// are used where they are there. Where something is missing, sandblock makes up for it or does
// not offer it.
package sandblock

import "io"

// Device is an open export. ReadAt fills all of p or fails; the range is always
// inside of the device.
type Device interface {
	io.ReaderAt
	// Size returns the number of bytes.
	Size() int64
}

// Replier answers reads in pieces, in place of ReadAt: memory that nobody copies,
// zeroes that nobody sends.
type Replier interface {
	Reply(r *Reply) error
}

// Flusher brings all that was written to stable storage.
type Flusher interface{ Flush() error }

// Trimmer is told that the content of a range does not matter any more.
type Trimmer interface{ Trim(off, n int64) error }

// Zeroer makes a range read as zeroes. mayTrim: the range may take no space.
type Zeroer interface {
	Zero(off, n int64, mayTrim bool) error
}

// Extenter says what of a range is allocated, from its start on, by calls of add.
type Extenter interface {
	Extents(off, n int64, add func(Extent)) error
}

// Cacher is told that a range is going to be read soon.
type Cacher interface{ Cache(off, n int64) error }

// SecureEraser erases a range for good: nothing of what was there can be had back by any means.
type SecureEraser interface {
	SecureErase(off, n int64) error
}

// Controller answers ioctls, in the place of the argument; ENOTTY for numbers that it does not know. The
// argument is not to be kept.
type Controller interface {
	Ioctl(number uint32, argument []byte) error
}

// Placer keeps the content in memory, and saves the copy of large writes: Place returns where these bytes
// lie, all n in one piece, or nil. WriteAt gets them later as p, which may be the same memory, or other.
type Placer interface{ Place(off, n int64) []byte }

// WriteInspector is a filter without WriteAt that looks at writes before they are passed on. An error fails
// the write.
type WriteInspector interface{ InspectWrite(w *Write) error }

// Describer has a description for people, in one line.
type Describer interface{ Description() string }

// Informer changes what is assumed of a device, such as its block sizes.
type Informer interface{ Info(*Info) }

// Extent is a stretch of a device.
type Extent struct {
	Length int64
	// Hole: it takes no space. Zero: it reads as zeroes.
	Hole, Zero bool
}

// Export is what a client may open, by its name.
type Export struct{ Name, Description string }

// Plugin is a device or several. Only Open is needed.
type Plugin struct {
	// Ready is called when all parameters are there.
	Ready func() error
	// Exports lists what there is; without it there is one export with an empty name.
	Exports func() ([]Export, error)
	// Default is the export that clients get who name none; false where there is none. Without it that is
	// the one with the empty name, or the only one.
	Default func() (string, bool, error)
	// Open opens an export. What it returns is closed if it is an io.Closer.
	Open func(name string, readOnly bool) (Device, error)
	// Connect may refuse a client, of which it gets an address or so.
	Connect func(peer string) error
	// Stop is called last.
	Stop func()
	// Concurrent has each request served in a goroutine, which may wait: for files, connections, Sleep.
	Concurrent bool
}

// Filter stands on other devices. Only Open is needed.
type Filter struct {
	Ready   func() error
	Connect func(peer string) error
	// Exports and Default: without them, those of the first child.
	Exports func() ([]Export, error)
	Default func() (string, bool, error)
	// Finish is called in a goroutine when nothing is open any more, and brings below what is still to be
	// brought there, by what OpenNext has opened.
	Finish func() error
	Stop   func()
	// Open gets what is below the export. It returns a value with any of the methods of
	// a Device and the interfaces beside it; what is missing goes to the first child
	// without data passing through the filter, but secure erase and ioctls do not. With WriteAt the manifest must say
	// "calls": {"pwrite": "transform"}; the filter is assumed to be able to write if its first
	// child is, which an Informer can change.
	//
	// Each request is served in a goroutine: calls of Next block.
	Open func(next *Next, name string, readOnly bool) (any, error)
}

// definition is a Plugin or Filter in one form.
type definition struct {
	ready   func() error
	exports func() ([]Export, error)
	// A name, and whether there is one.
	defaultExport func() (string, bool, error)
	open          func(handle int32, name string, readOnly bool) (any, error)
	connect       func(string) error
	finish        func() error
	stop          func()
	concurrent    bool
	filter        bool
	// Of filters only: plugins must not import functions for what is below.
	forward      func(request int32, count, offset uint64, flags int32) int32
	flush        func(handle int32) error
	below        func(handle int32) (*Info, error)
	size         func(handle int32) int64
	exportsBelow func() ([]Export, error)
	defaultBelow func() (string, bool, error)
}

var plugin definition

// Register makes the program a plugin. It is called from init.
func Register(p Plugin) {
	plugin = definition{
		ready:         p.Ready,
		exports:       p.Exports,
		defaultExport: p.Default,
		connect:       p.Connect,
		stop:          p.Stop,
		open: func(_ int32, name string, readOnly bool) (any, error) {
			return p.Open(name, readOnly)
		},
		concurrent: p.Concurrent,
	}
}

// RegisterFilter makes the program a filter. It is called from init.
func RegisterFilter(f Filter) {
	plugin = definition{
		ready:         f.Ready,
		exports:       f.Exports,
		defaultExport: f.Default,
		connect:       f.Connect,
		finish:        f.Finish,
		stop:          f.Stop,
		open: func(handle int32, name string, readOnly bool) (any, error) {
			return f.Open(&Next{handle: handle}, name, readOnly)
		},
		concurrent: true,
		filter:     true,
		forward: func(request int32, count, offset uint64, flags int32) int32 {
			return hostNextForward(request, 0, 0, count, offset, flags, 0)
		},
		// Not forwarded: the request may be a write, after which the host wants a flush.
		flush:        func(handle int32) error { return (&Next{handle: handle}).Flush() },
		below:        func(handle int32) (*Info, error) { return (&Next{handle: handle}).Info() },
		size:         func(handle int32) int64 { return hostNextSize(handle, 0) },
		exportsBelow: func() ([]Export, error) { return ExportsBelow(0) },
		defaultBelow: func() (string, bool, error) { return DefaultBelow(0) },
	}
}

// Parameters by their positions in the manifest, from 0.
var (
	numbers = map[int32][]int64{}
	texts   = map[int32][][]byte{}
)

// Int is the number of a parameter (an integer, a size in bytes, a duration in
// nanoseconds, ...) by its position in the manifest; 0 where it was not given. It can
// be called from Ready on.
func Int(index int) int64 {
	if given := numbers[int32(index)]; len(given) > 0 {
		return given[len(given)-1]
	}
	return 0
}

// Ints are all numbers of a parameter that may be repeated.
func Ints(index int) []int64 { return numbers[int32(index)] }

// Bool is a parameter of the type bool.
func Bool(index int) bool { return Int(index) != 0 }

// Bytes is the text of a parameter (a string, a path, a secret, ...); nil where it was
// not given.
func Bytes(index int) []byte {
	if given := texts[int32(index)]; len(given) > 0 {
		return given[len(given)-1]
	}
	return nil
}

// Text is the same as a string.
func Text(index int) string { return string(Bytes(index)) }

// Texts are all texts of a parameter that is a list or may be repeated.
func Texts(index int) []string {
	var all []string
	for _, text := range texts[int32(index)] {
		all = append(all, string(text))
	}
	return all
}
