// SPDX-License-Identifier: MIT

//go:build wasip1

package sandblock

import (
	"errors"
	"strconv"
)

// Errno is an error number of Linux. An error that is or wraps one fails its request
// with that number, any other error with EIO.
type Errno int32

// Those that devices need most.
const (
	EPERM      Errno = 1
	ENOENT     Errno = 2
	EIO        Errno = 5
	EAGAIN     Errno = 11
	ENOMEM     Errno = 12
	EACCES     Errno = 13
	EBUSY      Errno = 16
	EEXIST     Errno = 17
	EINVAL     Errno = 22
	ENOTTY     Errno = 25
	ENOSPC     Errno = 28
	EROFS      Errno = 30
	EDEADLK    Errno = 35
	ENODATA    Errno = 61
	EOPNOTSUPP Errno = 95
	ESHUTDOWN  Errno = 108
)

var names = map[Errno]string{
	EPERM: "operation not permitted", ENOENT: "no such export", EIO: "input/output error",
	EAGAIN: "try again", ENOMEM: "out of memory", EACCES: "permission denied",
	EBUSY: "device or resource busy", EEXIST: "exists already", ENODATA: "the file ends before",
	EINVAL: "invalid argument", ENOTTY: "no such ioctl", ENOSPC: "no space left",
	EROFS: "read-only", EDEADLK: "it would wait for itself", EOPNOTSUPP: "not supported", ESHUTDOWN: "shut down",
}

func (e Errno) Error() string {
	if name, ok := names[e]; ok {
		return name
	}
	return "error " + strconv.Itoa(int(e))
}

// status is what a call returns for err. The host gets the text as well.
func status(err error) int32 {
	if err == nil {
		return 0
	}
	var errno Errno
	if !errors.As(err, &errno) {
		errno = EIO
	}
	if plain, ok := err.(Errno); !ok || plain != errno {
		setErrorText(err.Error())
	}
	return int32(errno)
}
