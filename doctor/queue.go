package doctor

// Reach is what came of knocking at a queue.
type Reach int

// What can come of it.
const (
	Reached Reach = iota
	QueueMissing
	QueueForbidden
	Unreachable
)

// JudgeListen judges whether a worker can receive from the queue.
func JudgeListen(queue string, r Reach, err error) Finding {
	return judgeQueue(CheckQueueListen, queue, "received from", "Azure Service Bus Data Receiver", "Listen", r, err)
}

// JudgeSend judges whether muster load and muster publish can send to the queue.
// A worker needs no such right, so a lack of it is worth a note.
func JudgeSend(queue string, r Reach, err error) Finding {
	f := judgeQueue(CheckQueueSend, queue, "sent to", "Azure Service Bus Data Sender", "Send", r, err)
	if r == QueueForbidden {
		f.Severity = Note
		f.Why = "Only muster load and muster publish send; a worker does well without."
	}
	return f
}

func judgeQueue(check, queue, done, role, right string, r Reach, err error) Finding {
	f := Finding{Check: check, Severity: Error}
	switch r {
	case Reached:
		return good(check, "The queue %s can be %s.", queue, done)
	case QueueMissing:
		f.What = "The namespace has no queue " + queue + "."
		f.Why = "The worker ends at once with a queue that is not there."
		f.Portal = "Azure portal > Service Bus > the namespace > Queues > + Queue"
		f.Command = "az servicebus queue create --resource-group GROUP --namespace-name NAMESPACE --name " + queue + " --lock-duration PT1M --max-delivery-count 100"
	case QueueForbidden:
		f.What = "The queue " + queue + " can't be " + done + ": the right " + right + " is missing."
		f.Why = "Azure Service Bus refuses the identity or the key."
		f.Portal = "Azure portal > Service Bus > the namespace > Queues > " + queue + " > Access control (IAM) > Add role assignment > " + role
		f.Command = `az role assignment create --assignee APPLICATION-ID --role "` + role + `" --scope $(az servicebus queue show --resource-group GROUP --namespace-name NAMESPACE --name ` + queue + ` --query id -o tsv)`
	default:
		f.What = "Service Bus was not reached: " + sentence(err)
		f.Why = "Check the namespace's name, the network, and that port 5671 is open."
		f.Portal = "Azure portal > Service Bus > the namespace > Networking"
	}
	return f
}
