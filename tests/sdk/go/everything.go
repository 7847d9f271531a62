// A plugin that uses what the SDK has: two disks, late reads, holes, names, writes in place, a timer.
package main

import (
	"errors"
	"fmt"
	"time"

	"my_plugin/sandblock"
)

// Position of the parameter in manifest.json.
const size = 0

const block = 4096

type disk struct {
	name      string
	bytes     []byte
	allocated []bool
}

var disks = map[string]*disk{}

func (d *disk) Size() int64         { return int64(len(d.bytes)) }
func (d *disk) Description() string { return "the disk " + d.name }

func (d *disk) ReadAt([]byte, int64) (int, error) {
	return 0, errors.New("reads are answered by Reply")
}

// run is how many bytes from off on are alike, at most n, and whether they are data.
func (d *disk) run(off, n int64) (int64, bool) {
	data := d.allocated[off/block]
	end := off/block*block + block
	for end < off+n && d.allocated[end/block] == data {
		end += block
	}
	return min(end-off, n), data
}

func (d *disk) mark(off, n int64, data bool) {
	for at := off / block * block; at < off+n; at += block {
		whole := at >= off && min(at+block, d.Size()) <= off+n
		if data || whole {
			d.allocated[at/block] = data
		}
	}
}

func (d *disk) Reply(r *sandblock.Reply) error {
	if r.Length > 100_000 {
		r.Zero(1, true)
		r.Restart()
		copy(r.Buffer(r.Length), d.bytes[r.Offset:])
		sandblock.Sleep(10 * time.Microsecond)
		return nil
	}
	for at := r.Offset; at < r.Offset+r.Length; {
		n, data := d.run(at, r.Offset+r.Length-at)
		switch {
		case !data:
			r.Zero(n, true)
		case at%2 == 0:
			r.Stable(d.bytes[at : at+n])
		default:
			r.Data(d.bytes[at : at+n])
		}
		at += n
	}
	return nil
}

func (d *disk) Place(off, n int64) []byte {
	d.mark(off, n, true)
	return d.bytes[off : off+n]
}

func (d *disk) WriteAt(p []byte, off int64) (int, error) {
	d.mark(off, int64(len(p)), true)
	sandblock.Metric(0, int64(len(p)))
	return copy(d.bytes[off:], p), nil
}

func (d *disk) Flush() error { return nil }

func (d *disk) Trim(off, n int64) error { return d.Zero(off, n, true) }

func (d *disk) Zero(off, n int64, mayTrim bool) error {
	clear(d.bytes[off : off+n])
	d.mark(off, n, !mayTrim)
	return nil
}

func (d *disk) SecureErase(off, n int64) error { return d.Zero(off, n, true) }

// Ioctl has one number, which adds one to each byte of the argument.
func (d *disk) Ioctl(number uint32, argument []byte) error {
	if number != 0xc0042a01 {
		return sandblock.ENOTTY
	}
	for i := range argument {
		argument[i]++
	}
	return nil
}

func (d *disk) Cache(off, n int64) error { return nil }

func (d *disk) Extents(off, n int64, add func(sandblock.Extent)) error {
	for at := off; at < off+n; {
		length, data := d.run(at, off+n-at)
		add(sandblock.Extent{Length: length, Hole: !data, Zero: !data})
		at += length
	}
	return nil
}

func (d *disk) Info(info *sandblock.Info) {
	info.BlockMaximum = 1 << 20
	info.Advise(1, 8192, 1<<20)
}

func ready() error {
	for _, name := range []string{"", "other"} {
		n := sandblock.Int(size)
		disks[name] = &disk{name, make([]byte, n), make([]bool, (n+block-1)/block)}
	}
	timer, err := sandblock.AfterFunc(time.Hour, func() {})
	if err != nil {
		return err
	}
	if !timer.Stop() || timer.Stop() {
		return errors.New("a timer has fired at once, or can be stopped twice")
	}
	if _, err := sandblock.Now(); err != sandblock.EPERM {
		return fmt.Errorf("the clock was not granted, but: %v", err)
	}
	if !sandblock.HasFeature("timers") || sandblock.HasFeature("nonsense") {
		return errors.New("the host has other features")
	}
	return nil
}

func init() {
	sandblock.Register(sandblock.Plugin{
		Ready: ready,
		Exports: func() ([]sandblock.Export, error) {
			return []sandblock.Export{{Description: "first"}, {Name: "other", Description: "second"}}, nil
		},
		Default: func() (string, bool, error) { return "other", true, nil },
		Open: func(name string, readOnly bool) (sandblock.Device, error) {
			if disks[name] == nil {
				return nil, fmt.Errorf("cannot open %q for %s: %w", name, sandblock.Peer(), sandblock.ENOENT)
			}
			return disks[name], nil
		},
		Concurrent: true,
	})
}

func main() {}
