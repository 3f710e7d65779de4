//go:build !unix

package broker_test

import "time"

// ownCPU is not known.
func ownCPU() time.Duration { return 0 }
