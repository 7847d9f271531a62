// SPDX-License-Identifier: MIT

//go:build wasip1

package sandblock

import (
	"io"
	"unsafe"
)

// The functions of the plugin (ABI, sections 5, 14 and 16). All are always exported, so each also has what
// happens where the program has nothing to say.

const (
	flagFUA     = 1
	flagMayTrim = 2
	flagFast    = 4
	flagWhole   = 16
)

// What is open, by handle; nil where nothing is.
var devices []any

//go:wasmexport sb_param_int
func paramInt(index int32, value int64) { numbers[index] = append(numbers[index], value) }

//go:wasmexport sb_param_bytes
func paramBytes(index int32, data unsafe.Pointer, length uint32) {
	texts[index] = append(texts[index], append([]byte{}, view(data, uint64(length))...))
}

//go:wasmexport sb_ready
func ready() int32 {
	if plugin.open == nil {
		setErrorText("the program has not called Register or RegisterFilter from init")
		return int32(EINVAL)
	}
	if plugin.ready == nil {
		return 0
	}
	return control(func() int32 { return status(plugin.ready()) })
}

//go:wasmexport sb_list
func list() int32 {
	return control(func() int32 {
		all, err := exports()
		for _, export := range all {
			exportAdd(export.Name, export.Description)
		}
		return status(err)
	})
}

func exports() ([]Export, error) {
	if plugin.exports != nil {
		return plugin.exports()
	}
	if plugin.exportsBelow != nil {
		return plugin.exportsBelow()
	}
	return []Export{{}}, nil
}

//go:wasmexport sb_default
func defaultExport() int32 {
	return control(func() int32 {
		name, ok, err := theDefault()
		if ok && err == nil {
			exportDefault(name)
		}
		return status(err)
	})
}

// theDefault is what clients get who name no export; false where there is none.
func theDefault() (string, bool, error) {
	if plugin.defaultExport != nil {
		return plugin.defaultExport()
	}
	if plugin.exports == nil && plugin.defaultBelow != nil {
		return plugin.defaultBelow()
	}
	all, err := exports()
	for _, export := range all {
		if export.Name == "" || len(all) == 1 {
			return export.Name, true, err
		}
	}
	return "", false, err
}

//go:wasmexport sb_describe
func describe(handle int32) int32 {
	if device, ok := devices[handle].(Describer); ok {
		exportAdd("", control(device.Description))
	}
	return 0
}

//go:wasmexport sb_connect
func connect(peer unsafe.Pointer, length uint32) int32 {
	if plugin.connect == nil {
		return 0
	}
	return control(func() int32 { return status(plugin.connect(string(view(peer, uint64(length))))) })
}

//go:wasmexport sb_open
func open(name unsafe.Pointer, length uint32, flags int32) int32 {
	handle := 0
	for handle < len(devices) && devices[handle] != nil {
		handle++
	}
	text := string(view(name, uint64(length)))
	if text != "" && plugin.exports == nil && !plugin.filter {
		return -int32(ENOENT)
	}
	var device any
	errno := control(func() (errno int32) {
		var err error
		device, err = plugin.open(int32(handle), text, flags&1 != 0)
		return status(err)
	})
	if errno != 0 {
		return -errno
	}
	if handle == len(devices) {
		devices = append(devices, nil)
	}
	devices[handle] = device
	return int32(handle)
}

//go:wasmexport sb_close
func closeDevice(handle int32) {
	if closer, ok := devices[handle].(io.Closer); ok {
		if err := control(closer.Close); err != nil {
			Log(LevelWarning, err.Error())
		}
	}
	devices[handle] = nil
}

//go:wasmexport sb_size
func size(handle int32) int64 {
	if device, ok := devices[handle].(interface{ Size() int64 }); ok {
		if plugin.filter {
			return measure(handle, device)
		}
		return control(device.Size)
	}
	if plugin.size == nil {
		return -int64(EIO)
	}
	return plugin.size(handle)
}

//go:wasmexport sb_info
func getInfo(handle int32, out unsafe.Pointer) int32 {
	info := (*Info)(out)
	if err := info.restrict(handle, devices[handle]); err != nil {
		return status(err)
	}
	if informer, ok := devices[handle].(Informer); ok {
		control(func() any { informer.Info(info); return nil })
	}
	return 0
}

//go:wasmexport sb_pread
func pread(handle, request int32, count, offset uint64, _ int32) int32 {
	off, n := int64(offset), int64(count)
	switch device := devices[handle].(type) {
	case Replier:
		return serve(request, func() error {
			return device.Reply(&Reply{request: request, Offset: off, Length: n})
		})
	case io.ReaderAt:
		return serve(request, func() error { return readInto(device, request, off, n) })
	}
	return forward(request, count, offset, 0)
}

func readInto(device io.ReaderAt, request int32, off, n int64) error {
	reply := Reply{request: request, Offset: off, Length: n}
	buffer := reply.Buffer(n)
	if buffer == nil {
		return ENOMEM
	}
	read, err := device.ReadAt(buffer, off)
	if err == nil && int64(read) < n {
		err = io.ErrUnexpectedEOF
	}
	if int64(read) == n && err == io.EOF {
		err = nil
	}
	return err
}

//go:wasmexport sb_pwrite
func pwrite(handle, request int32, data unsafe.Pointer, count, offset uint64, flags int32) int32 {
	device, ok := devices[handle].(io.WriterAt)
	if !ok {
		return passWrite(handle, request, count, offset, flags)
	}
	if data == nil {
		setErrorText(`the manifest of a filter with WriteAt says "calls": {"pwrite": "transform"}`)
		return int32(EINVAL)
	}
	return serve(request, func() error {
		_, err := device.WriteAt(view(data, count), int64(offset))
		return err
	})
}

// passWrite has the first child answer a write, at which the filter may look before.
func passWrite(handle, request int32, count, offset uint64, flags int32) int32 {
	if device, ok := devices[handle].(WriteInspector); ok {
		write := &Write{request, int64(offset), int64(count)}
		if err := device.InspectWrite(write); err != nil {
			return status(err)
		}
	}
	return forward(request, count, offset, flags)
}

//go:wasmexport sb_place
func place(handle int32, count, offset uint64) unsafe.Pointer {
	device, ok := devices[handle].(Placer)
	if !ok {
		return nil
	}
	p := device.Place(int64(offset), int64(count))
	if uint64(len(p)) < count {
		return nil
	}
	return start(p)
}

//go:wasmexport sb_flush
func flush(handle, request, _ int32) int32 {
	if device, ok := devices[handle].(Flusher); ok {
		return serve(request, device.Flush)
	}
	if plugin.flush == nil {
		return int32(EOPNOTSUPP)
	}
	return serve(request, func() error { return plugin.flush(handle) })
}

//go:wasmexport sb_trim
func trim(handle, request int32, count, offset uint64, flags int32) int32 {
	device, ok := devices[handle].(Trimmer)
	if !ok {
		return forward(request, count, offset, flags)
	}
	return serve(request, func() error { return device.Trim(int64(offset), int64(count)) })
}

//go:wasmexport sb_zero
func zero(handle, request int32, count, offset uint64, flags int32) int32 {
	device, ok := devices[handle].(Zeroer)
	if !ok {
		return forward(request, count, offset, flags)
	}
	if flags&flagFast != 0 {
		return int32(EOPNOTSUPP)
	}
	return serve(request, func() error {
		return device.Zero(int64(offset), int64(count), flags&flagMayTrim != 0)
	})
}

//go:wasmexport sb_cache
func cache(handle, request int32, count, offset uint64, flags int32) int32 {
	device, ok := devices[handle].(Cacher)
	if !ok {
		return forward(request, count, offset, flags)
	}
	return serve(request, func() error { return device.Cache(int64(offset), int64(count)) })
}

//go:wasmexport sb_extents
func extents(handle, request int32, count, offset uint64, flags int32) int32 {
	device, ok := devices[handle].(Extenter)
	if !ok {
		return forward(request, count, offset, flags)
	}
	return serve(request, func() error {
		return device.Extents(int64(offset), int64(count), func(e Extent) {
			var bits int32
			if e.Hole {
				bits |= 1
			}
			if e.Zero {
				bits |= 2
			}
			hostExtent(request, uint64(e.Length), bits)
		})
	})
}

//go:wasmexport sb_secure_erase
func secureErase(handle, request int32, count, offset uint64, _ int32) int32 {
	device, ok := devices[handle].(SecureEraser)
	if !ok {
		return int32(EOPNOTSUPP)
	}
	return serve(request, func() error { return device.SecureErase(int64(offset), int64(count)) })
}

//go:wasmexport sb_ioctl
func ioctl(handle, request, number int32, argument unsafe.Pointer, length uint32) int32 {
	device, ok := devices[handle].(Controller)
	if !ok {
		return int32(ENOTTY)
	}
	if argument == nil && length > 0 {
		setErrorText(`the manifest of a filter with Ioctl says "calls": {"ioctl": "transform"}`)
		return int32(EINVAL)
	}
	return serve(request, func() error {
		return device.Ioctl(uint32(number), view(argument, uint64(length)))
	})
}

//go:wasmexport sb_finish
func finish() {
	if plugin.finish == nil {
		return
	}
	done := false
	go func() {
		if err := plugin.finish(); err != nil {
			Log(LevelError, err.Error())
		}
		done = true
	}()
	takeTurns(&done)
}

//go:wasmexport sb_stop
func stop() {
	if plugin.stop != nil {
		control(func() any { plugin.stop(); return nil })
	}
}

// forward has the first child answer a request.
func forward(request int32, count, offset uint64, flags int32) int32 {
	if plugin.forward == nil {
		return int32(EOPNOTSUPP)
	}
	return plugin.forward(request, count, offset, flags)
}
