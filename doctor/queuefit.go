package doctor

import (
	"fmt"
	"strings"
	"time"
)

// QueueProperties are those properties of a queue that matter to a worker. A
// duration of 0 has no end.
type QueueProperties struct {
	LockDuration                     time.Duration
	MaxDeliveryCount                 int
	RequiresSession                  bool
	DeadLetteringOnMessageExpiration bool
	DefaultMessageTimeToLive         time.Duration
	AutoDeleteOnIdle                 time.Duration
	// DuplicateDetection is how long message ids are remembered, 0 for not at all.
	DuplicateDetection                       time.Duration
	ForwardTo, ForwardDeadLetteredMessagesTo string
	Status                                   string
	Partitioning                             bool
}

const (
	fitLock       = time.Minute
	fitDeliveries = 100
	// fewDeliveries are used up by a bad day: a release of the worker, a node that
	// is drained, and some more.
	fewDeliveries = 10
	fitTimeToLive = 7 * 24 * time.Hour

	statusActive       = "Active"
	statusSendDisabled = "SendDisabled"
)

// FittingQueue is a queue as a worker wants it. It remembers message ids for a day,
// in which an interrupted load will have been started again.
func FittingQueue() QueueProperties {
	return QueueProperties{
		LockDuration: fitLock, MaxDeliveryCount: fitDeliveries, DeadLetteringOnMessageExpiration: true,
		DuplicateDetection: 24 * time.Hour, Status: statusActive,
	}
}

// QueueDifference is where a queue is not as a worker wants it.
type QueueDifference struct {
	// Property is its name in the management API.
	Property string `json:"property"`
	Is       string `json:"is"`
	Want     string `json:"want"`
	// Severity says how bad it is, and Why.
	Severity Severity `json:"severity"`
	Why      string   `json:"why"`
	// Lasting says that no update changes it: only another queue is different.
	Lasting bool `json:"lasting"`

	mend func(*QueueProperties)
	az   string // what az servicebus queue update takes
}

// CompareQueue tells where a queue does not suit a worker, the worst first in each
// group: who can receive at all, what may be lost, what is merely worse. It should
// remember message ids for the time remembered, 0 for not at all.
func CompareQueue(p QueueProperties, remembered time.Duration) []QueueDifference {
	var found []QueueDifference
	for _, d := range []struct {
		wrong bool
		QueueDifference
	}{
		{p.RequiresSession, QueueDifference{
			Property: "RequiresSession", Is: "true", Want: "false", Severity: Error, Lasting: true,
			Why: "The worker receives without sessions, which Service Bus refuses on such a queue.",
		}},
		{p.Status != statusActive, QueueDifference{
			Property: "Status", Is: p.Status, Want: statusActive, Severity: statusSeverity(p.Status),
			Why: "A queue that is disabled lets nobody receive, send, or both.", az: "--status Active",
			mend: func(p *QueueProperties) { p.Status = statusActive },
		}},
		{p.ForwardTo != "", QueueDifference{
			Property: "ForwardTo", Is: p.ForwardTo, Want: "none", Severity: Error,
			Why: "Commands go on to the other entity, and the worker never sees them.", az: `--forward-to ""`,
			mend: func(p *QueueProperties) { p.ForwardTo = "" },
		}},
		{!p.DeadLetteringOnMessageExpiration, QueueDifference{
			Property: "DeadLetteringOnMessageExpiration", Is: "false", Want: "true", Severity: worseIf(p.DefaultMessageTimeToLive > 0, Note),
			Why:  "A command that outlives its time to live is dropped without a trace, and not dead-lettered. Muster gives none to its commands; a queue or another publisher may.",
			az:   "--enable-dead-lettering-on-message-expiration true",
			mend: func(p *QueueProperties) { p.DeadLetteringOnMessageExpiration = true },
		}},
		{p.DefaultMessageTimeToLive > 0 && p.DefaultMessageTimeToLive < fitTimeToLive, QueueDifference{
			Property: "DefaultMessageTimeToLive", Is: spanned(p.DefaultMessageTimeToLive), Want: spanned(fitTimeToLive) + " or more", Severity: Warning,
			Why: "A load takes hours, and a paused tenant waits for somebody who grants a permission. Commands must live longer.", az: "--default-message-time-to-live P14D",
			mend: func(p *QueueProperties) { p.DefaultMessageTimeToLive = 2 * fitTimeToLive },
		}},
		{p.AutoDeleteOnIdle > 0, QueueDifference{
			Property: "AutoDeleteOnIdle", Is: spanned(p.AutoDeleteOnIdle), Want: "never", Severity: Warning,
			Why: "A queue that nobody uses for this time goes, and its dead letters with it.", az: "--auto-delete-on-idle P10675199DT2H48M5.4775807S",
			mend: func(p *QueueProperties) { p.AutoDeleteOnIdle = 0 },
		}},
		{p.LockDuration < fitLock, QueueDifference{
			Property: "LockDuration", Is: spanned(p.LockDuration), Want: spanned(fitLock) + " or more", Severity: Warning,
			Why: "The worker renews at half of it. A shorter lock is lost in an outage of seconds, and each loss counts as a delivery.", az: "--lock-duration PT1M",
			mend: func(p *QueueProperties) { p.LockDuration = fitLock },
		}},
		{p.MaxDeliveryCount < fitDeliveries, QueueDifference{
			Property: "MaxDeliveryCount", Is: fmt.Sprint(p.MaxDeliveryCount), Want: fmt.Sprint(fitDeliveries, " or more"), Severity: worseIf(p.MaxDeliveryCount < fewDeliveries, Note),
			Why: "Each worker that stops while it holds a command counts as a delivery. When they are used up, a command that nothing is wrong with is dead-lettered.", az: fmt.Sprint("--max-delivery-count ", fitDeliveries),
			mend: func(p *QueueProperties) { p.MaxDeliveryCount = fitDeliveries },
		}},
		{p.ForwardDeadLetteredMessagesTo != "", QueueDifference{
			Property: "ForwardDeadLetteredMessagesTo", Is: p.ForwardDeadLetteredMessagesTo, Want: "none", Severity: Warning,
			Why: "muster deadletter list finds nothing in this queue: the dead letters are in the other entity.", az: `--forward-dead-lettered-messages-to ""`,
			mend: func(p *QueueProperties) { p.ForwardDeadLetteredMessagesTo = "" },
		}},
		{p.Partitioning, QueueDifference{
			Property: "EnablePartitioning", Is: "true", Want: "false", Severity: Warning, Lasting: true,
			Why: "Partitions do not keep the order in which the commands of a user were published.",
		}},
		{p.DuplicateDetection == 0 && remembered > 0, QueueDifference{
			Property: "RequiresDuplicateDetection", Is: "false", Want: "true", Severity: Note, Lasting: true,
			Why: "What an interrupted load sends again comes a second time: that costs reads, and an old row may come after a newer event for the same user.",
		}},
		{p.DuplicateDetection > 0 && p.DuplicateDetection < remembered, QueueDifference{
			Property: "DuplicateDetectionHistoryTimeWindow", Is: spanned(p.DuplicateDetection), Want: spanned(remembered) + " or more", Severity: Note,
			Why:  "What a load that was interrupted for longer sends again comes a second time.",
			az:   fmt.Sprintf("--duplicate-detection-history-time-window PT%dS", int(remembered.Seconds())),
			mend: func(p *QueueProperties) { p.DuplicateDetection = remembered },
		}},
	} {
		if d.wrong {
			found = append(found, d.QueueDifference)
		}
	}
	return found
}

// spanned writes a duration for people: 7 days, 1h30m, 45s.
func spanned(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day && d%day == 0:
		return fmt.Sprint(int(d/day), " days")
	case d >= time.Minute && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return strings.TrimSuffix(d.String(), "0s")
	}
	return d.String()
}

func statusSeverity(status string) Severity {
	if status == statusSendDisabled {
		return Warning
	}
	return Error
}

// worseIf is a warning if so, and otherwise less.
func worseIf(so bool, less Severity) Severity {
	if so {
		return Warning
	}
	return less
}

// MendQueue returns the properties with all differences mended but those that last.
func MendQueue(p QueueProperties, remembered time.Duration) QueueProperties {
	for _, d := range CompareQueue(p, remembered) {
		if d.mend != nil {
			d.mend(&p)
		}
	}
	return p
}

// JudgeQueueProperties judges what could be found out about the queue's properties.
func JudgeQueueProperties(q Queue, p QueueProperties, r Reach, err error) []Finding {
	switch r {
	case Reached:
	case QueueForbidden:
		return []Finding{q.unmanaged()}
	case QueueMissing:
		return nil // told when it was knocked at
	case NotAQueue:
		return []Finding{{
			Check: CheckQueueProperties, Severity: Error, What: q.Name + " is no queue: the name is that of something else, such as a topic.",
			Why:     "The worker receives from a queue.",
			Portal:  namespacePath + "Queues > + Queue, for one of another name",
			Command: "muster queues create ANOTHER-NAME",
		}}
	default:
		return []Finding{{
			Check: CheckQueueManage, Severity: Note, What: "The properties of the queue " + q.Name + " could not be read: " + sentence(err),
			Why:     "The management API was not reached or did not answer as it should, on port 443 of the namespace (of a local endpoint on port 5300, or at --management). The worker does well without it.",
			Portal:  namespacePath + "Networking",
			Command: "curl -sSI https://NAMESPACE.servicebus.windows.net (or the address of --management)",
		}}
	}
	findings := []Finding{good(CheckQueueManage, "The properties of the queue %s can be read.", q.Name)}
	differences := CompareQueue(p, FittingQueue().DuplicateDetection)
	if len(differences) == 0 {
		return append(findings, good(CheckQueueProperties, "The properties of the queue %s suit a worker.", q.Name))
	}
	for _, d := range differences {
		f := Finding{
			Check: CheckQueueProperties, Severity: d.Severity, Why: d.Why,
			What:    fmt.Sprintf("%s of the queue %s is %s; a worker wants %s.", d.Property, q.Name, d.Is, d.Want),
			Portal:  namespacePath + "Queues > " + q.Name + " > Properties",
			Command: q.update(d.az),
		}
		if d.Lasting {
			f.Portal = namespacePath + "Queues > + Queue, for another one: this property of a queue can't be changed"
			f.Command = "muster queues create ANOTHER-NAME"
		}
		findings = append(findings, f)
	}
	return findings
}

// unmanaged says that the key or identity may not read properties.
func (q Queue) unmanaged() Finding {
	f := Finding{
		Check: CheckQueueManage, Severity: Note, What: "The properties of the queue " + q.Name + " can't be read: the right Manage is missing.",
		Why: "The worker does well without it; whether the queue suits it was not looked at.",
	}
	if q.Key {
		f.Portal = namespacePath + "Shared access policies > + Add > Manage"
		f.Command = "az servicebus namespace authorization-rule create --resource-group GROUP --namespace-name NAMESPACE --name muster-admin --rights Manage Send Listen"
		return f
	}
	f.Portal = namespacePath + "Access control (IAM) > Add role assignment > Azure Service Bus Data Owner"
	f.Command = `az role assignment create --assignee APPLICATION-ID --role "Azure Service Bus Data Owner" --scope $(az servicebus queue show --resource-group GROUP --namespace-name NAMESPACE --name ` + q.Name + ` --query id -o tsv)`
	return f
}
