// @name@: keeps everything below it in disguise, each byte combined with a key by exclusive or.
package main

import "@ident@/sandblock"

// Positions of the parameters in manifest.json.
const key = 0

type disguise struct {
	next *sandblock.Next
	key  byte
}

func (d disguise) ReadAt(p []byte, off int64) (int, error) {
	n, err := d.next.ReadAt(p, off)
	d.combine(p, p)
	return n, err
}

// WriteAt must leave p as it is, which belongs to the client.
func (d disguise) WriteAt(p []byte, off int64) (int, error) {
	disguised := make([]byte, len(p))
	d.combine(disguised, p)
	return d.next.WriteAt(disguised, off)
}

func (d disguise) combine(to, from []byte) {
	for i := range from {
		to[i] = from[i] ^ d.key
	}
}

func init() {
	sandblock.RegisterFilter(sandblock.Filter{
		Open: func(next *sandblock.Next, name string, readOnly bool) (any, error) {
			return disguise{next, byte(sandblock.Int(key))}, nil
		},
	})
}

func main() {}
