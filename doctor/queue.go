package doctor

import "slices"

// Reach is what came of knocking at a queue.
type Reach int

// What can come of it.
const (
	Reached Reach = iota
	QueueMissing
	QueueForbidden
	Unreachable
	// QueueOfSessions wants sessions to be received from.
	QueueOfSessions
	// QueueDisabled is there, but switched off for what was tried.
	QueueDisabled
	// QueueRefused does not do such a thing: it forwards, or is a topic.
	QueueRefused
	// NotAQueue is something else, by its description.
	NotAQueue
)

// needless tells whether what was refused is refused to nobody who needs it: then it is
// told, and no worse.
func (q Queue) needless(r Reach, right string) bool {
	return (r == QueueForbidden || r == QueueDisabled || r == QueueRefused) && !slices.Contains(q.Rights, right)
}

// The rights on a queue.
const (
	RightListen = "listen"
	RightSend   = "send"
)

// Queue is the one that was knocked at.
type Queue struct {
	Name string
	// Key says that a shared access key knocks, and no identity.
	Key bool
	// Rights are those that are needed; the lack of another one is worth a note.
	Rights []string
}

// JudgeListen judges whether a worker can receive from the queue.
func JudgeListen(q Queue, r Reach, err error) Finding {
	f := q.judge(CheckQueueListen, "received from", "Azure Service Bus Data Receiver", "Listen", r, err)
	if q.needless(r, RightListen) {
		f.Severity, f.Why = Note, "Only muster worker and muster deadletter receive; muster load and muster publish do well without."
	}
	return f
}

// JudgeSend judges whether muster load and muster publish can send to the queue.
func JudgeSend(q Queue, r Reach, err error) Finding {
	f := q.judge(CheckQueueSend, "sent to", "Azure Service Bus Data Sender", "Send", r, err)
	if q.needless(r, RightSend) {
		f.Severity, f.Why = Note, "Only muster load and muster publish send; a worker does well without."
	}
	return f
}

// JudgeNamespace judges why a namespace can't even be knocked at.
func JudgeNamespace(err error) Finding {
	return Finding{
		Check: CheckQueueListen, Severity: Error, What: "Service Bus can't be used: " + sentence(err),
		Why:     "--servicebus takes the name of a namespace, a connection string, or @ and the name of a file that holds one.",
		Portal:  "Azure portal > Service Bus > the namespace > Overview (host name), or Shared access policies (connection string)",
		Command: "az servicebus namespace show --resource-group GROUP --name NAMESPACE --query serviceBusEndpoint -o tsv (the host name in it)",
	}
}

const namespacePath = "Azure portal > Service Bus > the namespace > "

// update is the command line that mends what can be changed, az the flags of the one
// property.
func (q Queue) update(az string) string {
	return "muster queues create " + q.Name + " --update (or az servicebus queue update --resource-group GROUP --namespace-name NAMESPACE --name " + q.Name + " " + az + ")"
}

func (q Queue) judge(check, done, role, right string, r Reach, err error) Finding {
	f := Finding{Check: check, Severity: Error}
	switch r {
	case Reached:
		return good(check, "The queue %s can be %s.", q.Name, done)
	case QueueMissing:
		f.What = "The namespace has no queue " + q.Name + "."
		f.Why = "The worker ends at once with a queue that is not there."
		f.Portal = namespacePath + "Queues > + Queue"
		f.Command = "muster queues create " + q.Name + " (or az servicebus queue create --resource-group GROUP --namespace-name NAMESPACE --name " + q.Name + " --lock-duration PT1M --max-delivery-count 100 --enable-dead-lettering-on-message-expiration true --enable-duplicate-detection true --duplicate-detection-history-time-window P1D)"
	case QueueOfSessions:
		f.What = "The queue " + q.Name + " requires sessions, and can't be " + done + " without."
		f.Why = "The worker receives without sessions. This property of a queue can't be changed."
		f.Portal = namespacePath + "Queues > + Queue, for another one"
		f.Command = "muster queues create ANOTHER-NAME"
	case QueueDisabled:
		f.What = "The queue " + q.Name + " is disabled, and can't be " + done + "."
		f.Why = "Somebody has switched it off, for this or for all. What is in it stays there."
		f.Portal = namespacePath + "Queues > " + q.Name + " > Properties"
		f.Command = q.update("--status Active")
	case QueueRefused:
		f.What = "The queue " + q.Name + " can't be " + done + ": " + sentence(err)
		f.Why = "Service Bus was reached, and does no such thing with this one: a queue that forwards is not received from, and a topic is no queue."
		f.Portal = namespacePath + "Queues > " + q.Name + " > Properties"
		f.Command = q.update(`--forward-to ""`)
	case QueueForbidden:
		f.What = "The queue " + q.Name + " can't be " + done + ": the right " + right + " is missing"
		if q.Key {
			f.What += ", or the key is wrong."
			f.Why = "Azure Service Bus refuses the key of the connection string."
			f.Portal = namespacePath + "Queues > " + q.Name + " > Shared access policies > + Add > " + right
			f.Command = "az servicebus queue authorization-rule create --resource-group GROUP --namespace-name NAMESPACE --queue-name " + q.Name + " --name muster --rights " + right
			return f
		}
		f.What += "."
		f.Why = "Azure Service Bus refuses the identity. A role that was assigned counts after some minutes."
		f.Portal = namespacePath + "Queues > " + q.Name + " > Access control (IAM) > Add role assignment > " + role
		f.Command = `az role assignment create --assignee APPLICATION-ID --role "` + role + `" --scope $(az servicebus queue show --resource-group GROUP --namespace-name NAMESPACE --name ` + q.Name + ` --query id -o tsv)`
	default:
		f.What = "Service Bus was not reached: " + sentence(err)
		f.Why = "Check the namespace's name, the network, and that port 5671 is open: no HTTP proxy carries AMQP."
		f.Portal = namespacePath + "Networking"
		f.Command = "az servicebus namespace network-rule-set show --resource-group GROUP --namespace-name NAMESPACE"
	}
	return f
}
