package messages_test

import (
	"testing"

	"github.com/muster-mfa/muster/messages"
)

// rowEvent is what a loader sends for one row.
func rowEvent() messages.Event {
	e := wholeEvent()
	e.Command = messages.Command{
		Tenant: "contoso.example", User: "user000001@contoso.example",
		Phones:          messages.Phones{messages.Mobile: "+31 612345678"},
		PerUserMFAState: messages.MFAEnabled, Run: "r1", Row: 2,
	}
	e.TraceState = ""
	return e
}

func BenchmarkEncode(b *testing.B) {
	e := rowEvent()
	for name, encode := range map[string]func(messages.Event) (messages.Encoded, error){
		"structured": messages.Event.Structured, "binary": messages.Event.Binary,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m, err := encode(e)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(m.Body)))
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	structured, err := rowEvent().Structured()
	if err != nil {
		b.Fatal(err)
	}
	binary, err := rowEvent().Binary()
	if err != nil {
		b.Fatal(err)
	}
	for name, m := range map[string]messages.Encoded{"structured": structured, "binary": binary} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(m.Body)))
			for b.Loop() {
				if _, err := messages.Decode(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncodeOutcome(b *testing.B) {
	e := wholeOutcome()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := messages.EncodeOutcome(e); err != nil {
			b.Fatal(err)
		}
	}
}
