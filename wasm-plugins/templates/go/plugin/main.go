// @name@: a RAM disk.
package main

import "@ident@/sandblock"

// Positions of the parameters in manifest.json.
const size = 0

type disk []byte

func (d disk) Size() int64 { return int64(len(d)) }

func (d disk) ReadAt(p []byte, off int64) (int, error) { return copy(p, d[off:]), nil }

func (d disk) WriteAt(p []byte, off int64) (int, error) { return copy(d[off:], p), nil }

// Reply is there in place of ReadAt for reads, so that nothing is copied.
func (d disk) Reply(r *sandblock.Reply) error {
	r.Stable(d[r.Offset : r.Offset+r.Length])
	return nil
}

// There is nothing that could be lost but all of it.
func (d disk) Flush() error { return nil }

func init() {
	var memory disk
	sandblock.Register(sandblock.Plugin{
		Ready: func() error {
			memory = make(disk, sandblock.Int(size))
			return nil
		},
		Open: func(name string, readOnly bool) (sandblock.Device, error) { return memory, nil },
	})
}

func main() {}
