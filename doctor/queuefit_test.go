package doctor_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/doctor"
)

// badQueue is wrong in all that a queue can be wrong in.
var badQueue = doctor.QueueProperties{
	LockDuration: 30 * time.Second, MaxDeliveryCount: 3, RequiresSession: true, DefaultMessageTimeToLive: 90 * time.Minute, AutoDeleteOnIdle: 2 * 24 * time.Hour,
	ForwardTo: "a", ForwardDeadLetteredMessagesTo: "b", Status: "Disabled", Partitioning: true,
}

const aDay = 24 * time.Hour

func TestCompareQueue(t *testing.T) {
	if got := doctor.CompareQueue(doctor.FittingQueue(), aDay); len(got) != 0 {
		t.Errorf("a fitting queue differs: %+v", got)
	}
	more := doctor.FittingQueue()
	more.LockDuration, more.MaxDeliveryCount, more.DefaultMessageTimeToLive, more.DuplicateDetection = 5*time.Minute, 2000, 14*24*time.Hour, 2*aDay
	if got := doctor.CompareQueue(more, aDay); len(got) != 0 {
		t.Errorf("more than is needed differs: %+v", got)
	}
	var got []string
	for _, d := range doctor.CompareQueue(badQueue, aDay) {
		got = append(got, strings.Join([]string{d.Property, d.Is, d.Want, string(d.Severity)}, "|"))
	}
	want := []string{
		"RequiresSession|true|false|error", "Status|Disabled|Active|error", "ForwardTo|a|none|error", "DeadLetteringOnMessageExpiration|false|true|warning",
		"DefaultMessageTimeToLive|1h30m|7 days or more|warning", "AutoDeleteOnIdle|2 days|never|warning", "LockDuration|30s|1m or more|warning",
		"MaxDeliveryCount|3|100 or more|warning", "ForwardDeadLetteredMessagesTo|b|none|warning", "EnablePartitioning|true|false|warning", "RequiresDuplicateDetection|false|true|note",
	}
	if !slices.Equal(got, want) {
		t.Errorf("differences\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// What the portal makes works; it is worth notes.
	plain := doctor.QueueProperties{LockDuration: time.Minute, MaxDeliveryCount: 10, Status: "Active"}
	for _, d := range doctor.CompareQueue(plain, aDay) {
		if d.Severity != doctor.Note {
			t.Errorf("a plain queue: %+v", d)
		}
	}
	plain.Status = "SendDisabled"
	if got := doctor.CompareQueue(plain, aDay)[0]; got.Property != "Status" || got.Severity != doctor.Warning {
		t.Errorf("a queue that can't be sent to: %+v", got)
	}
}

// How long ids are remembered can be changed, whether they are can't.
func TestHowLongIDsAreRemembered(t *testing.T) {
	for _, tt := range []struct {
		is, remembered time.Duration
		differs        string
		mended         time.Duration
	}{
		{aDay, aDay, "", aDay}, {aDay, 2 * time.Hour, "", aDay}, {time.Minute, 0, "", time.Minute}, {0, 0, "", 0},
		{10 * time.Minute, aDay, "DuplicateDetectionHistoryTimeWindow 10m 24h or more", aDay},
		{time.Hour, 90 * time.Minute, "DuplicateDetectionHistoryTimeWindow 1h 1h30m or more", 90 * time.Minute},
		{0, time.Hour, "RequiresDuplicateDetection false true", 0},
	} {
		p := doctor.FittingQueue()
		p.DuplicateDetection = tt.is
		got := ""
		for _, d := range doctor.CompareQueue(p, tt.remembered) {
			got += strings.Join([]string{d.Property, d.Is, d.Want}, " ")
		}
		if mended := doctor.MendQueue(p, tt.remembered).DuplicateDetection; got != tt.differs || mended != tt.mended {
			t.Errorf("%v where %v is wanted: %q, mended to %v", tt.is, tt.remembered, got, mended)
		}
	}
}

func TestMendQueueLeavesOnlyWhatLasts(t *testing.T) {
	left := doctor.CompareQueue(doctor.MendQueue(badQueue, aDay), aDay)
	if len(left) != 3 {
		t.Errorf("left: %+v", left)
	}
	for _, d := range left {
		if !d.Lasting {
			t.Errorf("%s is not mended", d.Property)
		}
	}
	kept := doctor.FittingQueue()
	kept.LockDuration = 4 * time.Minute
	if got := doctor.MendQueue(kept, aDay); got != kept {
		t.Errorf("a queue that suits was changed: %+v", got)
	}
}

func TestJudgeQueueProperties(t *testing.T) {
	queue := doctor.Queue{Name: "q"}
	for _, tt := range []struct {
		name     string
		findings []doctor.Finding
		worst    doctor.Severity
		says     []string
	}{
		{"all is well", doctor.JudgeQueueProperties(queue, doctor.FittingQueue(), doctor.Reached, nil), doctor.OK, []string{"can be read", "suit a worker"}},
		{"a bad queue", doctor.JudgeQueueProperties(queue, badQueue, doctor.Reached, nil), doctor.Error, []string{
			"muster queues create ANOTHER-NAME", "muster queues create q --update", "--lock-duration PT1M", "Queues > q > Properties", "LockDuration of the queue q is 30s; a worker wants 1m or more.",
		}},
		{"no right", doctor.JudgeQueueProperties(queue, badQueue, doctor.QueueForbidden, errors.New("no")), doctor.Note, []string{"Azure Service Bus Data Owner", "Manage"}},
		{"no right of a key", doctor.JudgeQueueProperties(doctor.Queue{Name: "q", Key: true}, badQueue, doctor.QueueForbidden, nil), doctor.Note, []string{"authorization-rule create", "--rights Manage Send Listen"}},
		{"no management", doctor.JudgeQueueProperties(queue, badQueue, doctor.Unreachable, errors.New("refused")), doctor.Note, []string{"could not be read: refused.", "--management"}},
		{"a topic", doctor.JudgeQueueProperties(queue, badQueue, doctor.NotAQueue, nil), doctor.Error, []string{"q is no queue", "muster queues create ANOTHER-NAME"}},
		{"sessions", []doctor.Finding{doctor.JudgeListen(queue, doctor.QueueOfSessions, nil)}, doctor.Error, []string{"requires sessions", "muster queues create ANOTHER-NAME"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := doctor.Worst(tt.findings); got != tt.worst {
				t.Errorf("worst is %s, want %s: %+v", got, tt.worst, tt.findings)
			}
			said := ""
			for _, f := range tt.findings {
				said += f.What + "\n" + f.Portal + "\n" + f.Command + "\n"
				if f.Severity != doctor.OK && (f.Why == "" || f.Portal == "" || f.Command == "") {
					t.Errorf("a finding that does not say how to mend it: %+v", f)
				}
			}
			for _, want := range tt.says {
				if !strings.Contains(said, want) {
					t.Errorf("%q is not said:\n%s", want, said)
				}
			}
		})
	}
	if got := doctor.JudgeQueueProperties(queue, badQueue, doctor.QueueMissing, nil); got != nil {
		t.Errorf("a queue that is not there is told of twice: %+v", got)
	}
}

// A queue of sessions is told of once, and its other properties are looked at; one
// that is not there is not asked for properties.
func TestCheckOfAQueueOfSessions(t *testing.T) {
	sessions := doctor.FittingQueue()
	sessions.RequiresSession = true
	o := doctor.Options{
		Queue:  doctor.Queue{Name: "q"},
		Listen: func(context.Context) (doctor.Reach, error) { return doctor.QueueOfSessions, errors.New("no") },
		Send:   func(context.Context) (doctor.Reach, error) { return doctor.Reached, nil },
		Properties: func(context.Context) (doctor.QueueProperties, doctor.Reach, error) {
			return sessions, doctor.Reached, nil
		},
	}
	findings := doctor.Check(t.Context(), o)
	if len(findings) != 4 || doctor.Count(findings, doctor.Error) != 1 || findings[0].Check != doctor.CheckQueueListen || findings[3].Check != doctor.CheckQueueProperties {
		t.Errorf("findings = %+v", findings)
	}
	o.Listen = func(context.Context) (doctor.Reach, error) { return doctor.QueueMissing, errors.New("no") }
	if findings := doctor.Check(t.Context(), o); len(findings) != 1 {
		t.Errorf("findings = %+v", findings)
	}
}
