// A filter that uses what there is for filters and changes nothing: it reads below to know its size, looks
// at what is written, asks again after errors, and keeps an export open for itself.
package main

import "my_filter/sandblock"

const part = 4096

var own *sandblock.OwnNext

type everything struct{ next *sandblock.Next }

func (e everything) Size() int64 {
	size := e.next.Size()
	if _, err := e.next.ReadAt(make([]byte, min(size, e.block())), 0); err != nil {
		return -int64(sandblock.EIO)
	}
	return size
}

func (e everything) block() int64 {
	info, err := e.next.Info()
	if err != nil {
		return part
	}
	return max(part, int64(info.BlockMinimum))
}

func (e everything) Reply(r *sandblock.Reply) error {
	offset, length := r.Offset, r.Length
	first := min(e.block(), length)
	if err := r.From(e.next, first, offset); err != nil {
		if err := e.next.Reopen(false); err != nil {
			return err
		}
		if err := r.From(e.next, first, offset); err != nil {
			return err
		}
	}
	if length == first {
		return nil
	}
	rest := r.Buffer(length - first)
	if rest == nil {
		return sandblock.ENOMEM
	}
	_, err := e.next.ReadAt(rest, offset+first)
	return err
}

func (e everything) InspectWrite(w *sandblock.Write) error {
	return w.Payload(make([]byte, 1), w.Length-1)
}

func (e everything) Trim(off, n int64) error { return e.next.Trim(off, n) }

func (e everything) Zero(off, n int64, mayTrim bool) error { return e.next.Zero(off, n, mayTrim) }

func (e everything) SecureErase(off, n int64) error { return e.next.SecureErase(off, n) }

func (e everything) Ioctl(number uint32, argument []byte) error {
	return e.next.Ioctl(number, append([]byte{}, argument...))
}

func (e everything) Cache(off, n int64) error { return e.next.Cache(off, n) }

func (e everything) Extents(off, n int64, add func(sandblock.Extent)) error {
	return e.next.Extents(off, n, add)
}

func init() {
	sandblock.RegisterFilter(sandblock.Filter{
		Open: func(next *sandblock.Next, name string, readOnly bool) (any, error) {
			if _, err := sandblock.ExportsBelow(0); err != nil {
				return nil, err
			}
			if _, _, err := sandblock.DefaultBelow(0); err != nil {
				return nil, err
			}
			if own == nil {
				var err error
				if own, err = sandblock.OpenNext(name, true); err != nil {
					return nil, err
				}
			}
			return everything{next}, nil
		},
		Finish: func() error {
			if own == nil {
				return nil
			}
			return own.Close()
		},
	})
}

func main() {}
