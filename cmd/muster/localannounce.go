package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/servicebus"
)

// announcement is the line that --json prints.
type announcement struct {
	ServiceBus string   `json:"servicebus"`
	Graph      string   `json:"graph"`
	Management string   `json:"management"`
	AMQPPort   int      `json:"amqp_port"`
	GraphPort  int      `json:"graph_port"`
	Queues     []string `json:"queues"`
	// SessionQueues are those of the queues that require sessions.
	SessionQueues []string         `json:"session_queues,omitempty"`
	Topics        []announcedTopic `json:"topics,omitempty"`
	Users         int              `json:"users"`
	// The rest is there with --tls.
	AMQPSPort        int    `json:"amqps_port,omitempty"`
	TenantID         string `json:"tenant_id,omitempty"`
	ClientID         string `json:"client_id,omitempty"`
	ClientSecretFile string `json:"client_secret_file,omitempty"`
	CAFile           string `json:"ca_file,omitempty"`
}

func (f *localFlags) announce(w io.Writer, s localServers) error {
	host := f.host
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	address := func(l net.Listener) string {
		scheme := "http://"
		if s.rehearsal != nil {
			scheme = "https://"
		}
		return scheme + net.JoinHostPort(host, strconv.Itoa(port(l)))
	}
	a := announcement{
		ServiceBus: s.broker.ConnectionString(),
		Graph:      address(s.graph),
		Management: address(s.management),
		AMQPPort:   port(s.amqp),
		GraphPort:  port(s.graph),
		Users:      len(s.tenant.Snapshot()),
	}
	a.entities(f.endpoint.made)
	more := ""
	if s.rehearsal != nil {
		a.AMQPSPort = port(s.amqps)
		a.TenantID, a.ClientID = s.tenant.ID(), s.clientID
		a.ClientSecretFile, a.CAFile = s.secretFile, s.caFile
		more = s.exports(a.Graph, a.TenantID)
	}
	if f.asJSON {
		return json.NewEncoder(w).Encode(a)
	}
	_, err := io.WriteString(w, a.text(more))
	return err
}

// announcedTopic is a topic with the names of its subscriptions.
type announcedTopic struct {
	Name          string   `json:"name"`
	Subscriptions []string `json:"subscriptions"`
}

// entities lists what the endpoint has made.
func (a *announcement) entities(o broker.Options) {
	a.Queues = []string{}
	for _, q := range o.Queues {
		a.Queues = append(a.Queues, q.Name)
		if q.RequiresSession {
			a.SessionQueues = append(a.SessionQueues, q.Name)
		}
	}
	for _, t := range o.Topics {
		topic := announcedTopic{Name: t.Name, Subscriptions: []string{}}
		for _, s := range t.Subscriptions {
			topic.Subscriptions = append(topic.Subscriptions, s.Name)
		}
		a.Topics = append(a.Topics, topic)
	}
}

// text is what a person reads. more holds further lines for the other terminal.
func (a *announcement) text(more string) string {
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%-12s %s\n", name, value) }
	line("Service Bus", a.ServiceBus)
	var queues, topics []string
	forWorker := ""
	for _, name := range a.Queues {
		if slices.Contains(a.SessionQueues, name) {
			queues = append(queues, name+" (sessions)")
			continue
		}
		queues = append(queues, name)
		forWorker = cmp.Or(forWorker, name)
	}
	for _, t := range a.Topics {
		topics = append(topics, fmt.Sprintf("%s (%s)", t.Name, strings.Join(t.Subscriptions, ", ")))
	}
	if len(queues) > 0 {
		line("Queues", strings.Join(queues, ", "))
	}
	if len(topics) > 0 {
		line("Topics", strings.Join(topics, ", "))
	}
	line("Management", a.Management)
	line("Graph", fmt.Sprintf("%s  (%d users)", a.Graph, a.Users))
	b.WriteString("\nIn another terminal:\n  export MUSTER_SERVICEBUS=" + quoted(a.ServiceBus))
	if forWorker != "" {
		b.WriteString(" MUSTER_QUEUE=" + quoted(forWorker))
	}
	b.WriteString(" MUSTER_GRAPH=" + quoted(a.Graph))
	if servicebus.EmulatorManagement(a.ServiceBus) != a.Management {
		b.WriteString(" MUSTER_MANAGEMENT=" + quoted(a.Management))
	}
	b.WriteString("\n" + more)
	if forWorker != "" {
		b.WriteString("  muster load users.csv --tenant contoso.example\n  muster worker\n")
	}
	return b.String()
}

// plainWord is what no shell takes for anything but itself.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9%+,./:=@_-]+$`)

// quoted writes a word as a shell reads it.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
