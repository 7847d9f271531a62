// A disk in a file that the user has granted, which asks a server before it flushes.
package main

import (
	"errors"
	"io"

	"my_plugin/sandblock"
)

// Positions of the parameters in manifest.json.
const (
	path = iota
	server
)

type disk struct{ *sandblock.File }

func (d disk) Size() int64 {
	size, err := d.File.Size()
	if err != nil {
		return -int64(sandblock.EIO)
	}
	return size
}

func (d disk) Flush() error {
	conn, err := sandblock.Dial(sandblock.Text(server))
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err = io.WriteString(conn, "flush\n"); err != nil {
		return err
	}
	answer := make([]byte, 16)
	n, err := conn.Read(answer)
	if err != nil {
		return err
	}
	if string(answer[:n]) != "yes" {
		return errors.New("the server has refused it")
	}
	return d.Sync()
}

func init() {
	sandblock.Register(sandblock.Plugin{
		Open: func(name string, readOnly bool) (sandblock.Device, error) {
			file, err := sandblock.OpenFile(sandblock.Text(path), sandblock.FileWrite)
			if err != nil {
				return nil, err
			}
			_, err = file.ReadAt(make([]byte, 1), 0)
			return disk{file}, err
		},
		Concurrent: true,
	})
}

func main() {}
