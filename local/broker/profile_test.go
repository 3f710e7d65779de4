package broker_test

import (
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"testing"
)

// profileVariable names a folder for CPU profiles of the benchmarks.
const profileVariable = "MUSTERTEST_PROFILE"

// profileOf is the file for the profile of the client or the server of a benchmark,
// or nothing if there is none to be. Of several rounds the last, and longest, remains.
func profileOf(b *testing.B, who string) string {
	folder := os.Getenv(profileVariable)
	if folder == "" {
		return ""
	}
	name := strings.NewReplacer("/", "-", "=", "").Replace(strings.TrimPrefix(b.Name(), "Benchmark"))
	return filepath.Join(folder, name+"-"+who+".pprof")
}

// startProfile writes what this process does with its CPU to a file, if there is one
// to write, until the function that it gives back is called.
func startProfile(file string) (stop func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}
