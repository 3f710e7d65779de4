package worker

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// Most of these tests wait for clocks and sockets and not for a processor, so
// many of them go side by side unless -parallel says otherwise.
func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", "16"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}
