package broker

import (
	"errors"
	"fmt"
	"net"
	"testing"
)

// Whoever makes queues while the server stops starts nothing that nobody waits for.
func TestQueuesThatAreMadeAsTheServerStops(t *testing.T) {
	for range 20 {
		s, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served, made := make(chan error), make(chan error)
		go func() { served <- s.Serve(l) }()
		s.ConnectionString()
		go func() {
			var err error
			for i := range 50 {
				err = errors.Join(err, s.CreateQueue(Queue{Name: fmt.Sprint(i)}))
			}
			made <- err
		}()
		if err := errors.Join(s.Close(), <-made, s.CreateQueue(Queue{Name: "late"})); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, ErrServerClosed) {
			t.Error(err)
		}
		if late, _ := s.catalog.find("late"); late.stop != nil {
			t.Error("the time of a queue is kept that was made when the server had stopped")
		}
	}
}
