// SPDX-License-Identifier: MIT

//go:build wasip1

package sandblock

// Support says how something is done.
type Support uint32

const (
	// None: not at all.
	None Support = iota
	// Emulate: by the host, with other calls.
	Emulate
	// Native: by the device.
	Native
)

// Info is what a device can do (ABI, section 8). sandblock has filled it in.
type Info struct {
	structSize     uint32
	BlockMinimum   uint32
	BlockPreferred uint32
	BlockMaximum   uint32
	Write          Support
	Flush          Support
	FUA            Support
	Trim           Support
	Zero           Support
	FastZero       Support
	Cache          Support
	Extents        Support
	MultiConn      Support
	Rotational     uint32
	SecureErase    Support
	Ioctl          Support
}

// Advise tells clients these block sizes, while they are held to those of the struct. Only in the method
// Info of a device.
func (info *Info) Advise(minimum, preferred, maximum uint32) {
	hostBlockAdvice(int32(minimum), int32(preferred), int32(maximum))
}

// All functions of the ABI are exported, so the host assumes that a device can do all. This
// says what it really can: that for which it has a method.
func (info *Info) restrict(handle int32, device any) error {
	_, writes := device.(interface {
		WriteAt(p []byte, off int64) (int, error)
	})
	_, flushes := device.(Flusher)
	_, trims := device.(Trimmer)
	_, zeroes := device.(Zeroer)
	_, caches := device.(Cacher)
	_, extents := device.(Extenter)
	_, erases := device.(SecureEraser)
	_, controls := device.(Controller)
	info.SecureErase = or(erases, info.SecureErase, None)
	info.Ioctl = or(controls, info.Ioctl, None)
	if plugin.filter {
		below, err := plugin.below(handle)
		if err != nil {
			return err
		}
		info.Write = minimum(info.Write, below.Write)
		if writes {
			// What it writes otherwise, nothing below knows of.
			info.Trim = or(trims, info.Trim, None)
			info.Zero = or(zeroes, info.Zero, minimum(info.Write, Emulate))
			info.FastZero = or(zeroes, info.FastZero, minimum(info.Zero, Emulate))
			info.Extents = or(extents, info.Extents, None)
		}
		if writes || trims || zeroes {
			// Methods are not told of FUA: sandblock has them flush.
			info.FUA = minimum(info.FUA, Emulate)
		}
		if info.Write == None {
			info.FUA, info.Zero, info.FastZero, info.Trim = None, None, None, None
			info.SecureErase = None
		}
		if info.Flush == None {
			info.FUA = or(info.FUA == Native, Native, None)
		}
		return nil
	}
	info.Write = or(writes, info.Write, None)
	info.Flush = or(flushes, info.Flush, None)
	info.FUA = or(writes && flushes, Emulate, None)
	info.Trim = or(trims, info.Trim, None)
	info.Zero = or(zeroes, info.Zero, or(writes, Emulate, None))
	info.FastZero = or(!zeroes && writes, Emulate, None)
	info.Cache = or(caches, info.Cache, None)
	info.Extents = or(extents, info.Extents, None)
	return nil
}

func or(condition bool, yes, no Support) Support {
	if condition {
		return yes
	}
	return no
}

func minimum(a, b Support) Support {
	if a < b {
		return a
	}
	return b
}
