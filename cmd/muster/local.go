package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/tenant"
)

type localFlags struct {
	tls                 localTLSFlags
	host                string
	amqpPort, graphPort int
	queues              []string
	lockDuration        time.Duration
	maxDeliveryCount    int
	users               int
	usersFile           string
	quota, faults       string
	seed                uint64
	asJSON              bool
	noPremium           bool
}

func newLocal(p *process) *cobra.Command {
	var f localFlags
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Run a Service Bus endpoint and a simulated tenant on this machine",
		Long: `Run a Service Bus endpoint and a simulated Microsoft Entra tenant on loopback.

The endpoint speaks AMQP 1.0 to any Service Bus client that is given the connection
string printed at the start. The tenant answers as Microsoft Graph does, with its
quotas, and misbehaves as it does on a bad day: --faults none makes it behave, and the
same --seed makes it misbehave the same way again. Everything is in memory and gone
at the end.

With --tls FOLDER the tenant is served over TLS, knows one application with the
permissions of --grant, and issues and checks access tokens: for rehearsing credentials
and muster doctor.

` + exitCodes,
		Args: noArgs,
		RunE: p.run(func(cmd *cobra.Command, _ []string) error { return runLocal(cmd, p, &f) }),
	}
	fs := cmd.Flags()
	fs.StringVar(&f.host, "host", "127.0.0.1", "address to listen on; anything but loopback opens both services, unprotected, to the network")
	fs.IntVar(&f.amqpPort, "amqp-port", 5672, "port of the Service Bus endpoint; 0 picks a free one")
	fs.IntVar(&f.graphPort, "graph-port", 5380, "port of the tenant; 0 picks a free one")
	fs.StringArrayVar(&f.queues, "queue", []string{"commands"}, "name of a queue; may be repeated")
	fs.DurationVar(&f.lockDuration, "lock-duration", time.Minute, "how long a received message is locked, at most 5m")
	fs.IntVar(&f.maxDeliveryCount, "max-delivery-count", 10, "deliveries after which a message is dead-lettered")
	fs.IntVar(&f.users, "users", 100, "number of users in the tenant, user000001@contoso.example and so on")
	fs.StringVar(&f.usersFile, "users-file", "", "take the tenant's users from this file of JSON lines instead")
	fs.StringVar(&f.quota, "quota", "", "what the tenant throttles: small, medium, large, strict or unlimited; default: by the number of users")
	fs.StringVar(&f.faults, "faults", string(tenant.FaultsDefault), "how badly the tenant behaves: none, default or harsh")
	fs.Uint64Var(&f.seed, "seed", 1, "seed of the users and of all misbehaviour")
	f.tls.add(cmd)
	fs.BoolVar(&f.noPremium, "no-premium", false, "make it a tenant without Microsoft Entra ID P1, which has no registration report and no sign-in log")
	fs.BoolVar(&f.asJSON, "json", false, "print one line of JSON when ready")
	return cmd
}

func runLocal(cmd *cobra.Command, p *process, f *localFlags) (err error) {
	rehearsal, err := f.tls.rehearsal(f.host)
	if err != nil {
		return err
	}
	directory, err := f.tenant(p, rehearsal)
	if err != nil {
		return err
	}
	endpoint, err := f.broker(p)
	if err != nil {
		return err
	}
	amqp, err := f.listen("the Service Bus endpoint", f.amqpPort)
	if err != nil {
		return err
	}
	graph, err := f.listen("the tenant", f.graphPort)
	if err != nil {
		return errors.Join(err, amqp.Close())
	}
	if ip := net.ParseIP(f.host); ip == nil || !ip.IsLoopback() {
		p.log.Warn("listening beyond loopback: everybody on the network can use the endpoint and the tenant", "host", f.host)
	}
	return serveLocal(cmd, p, f, localServers{endpoint, amqp, directory, graph, rehearsal})
}

// localServers are the two services and where they listen.
type localServers struct {
	broker *broker.Server
	amqp   net.Listener
	tenant *tenant.Tenant
	graph  net.Listener
	*rehearsal
}

// serveLocal runs both services until the context ends or one of them fails.
func serveLocal(cmd *cobra.Command, p *process, f *localFlags, s localServers) error {
	server := &http.Server{Handler: s.tenant, ReadHeaderTimeout: 10 * time.Second}
	serve := server.Serve
	if s.rehearsal != nil {
		server.TLSConfig = s.config
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	failed := make(chan error, 2)
	go func() { failed <- s.broker.Serve(s.amqp) }()
	go func() { failed <- serve(s.graph) }()

	err := f.announce(cmd.OutOrStdout(), s)
	running := 2
	if err == nil {
		select {
		case <-cmd.Context().Done():
			p.log.Info("stopping")
		case err = <-failed:
			running--
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), closeTimeout)
	defer cancel()
	// What hangs on for longer is cut off; there is nobody to tell.
	if server.Shutdown(ctx) != nil {
		server.Close()
	}
	if s.broker.Shutdown(ctx) != nil {
		s.broker.Close()
	}
	for range running {
		if e := <-failed; !errors.Is(e, http.ErrServerClosed) && !errors.Is(e, broker.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

func (f *localFlags) listen(what string, port int) (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(f.host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", what, err)
	}
	return l, nil
}

func (f *localFlags) broker(p *process) (*broker.Server, error) {
	var queues []broker.Queue
	for _, name := range f.queues {
		queues = append(queues, broker.Queue{Name: name, LockDuration: f.lockDuration, MaxDeliveryCount: f.maxDeliveryCount})
	}
	s, err := broker.New(broker.Options{Queues: queues, Logger: p.log})
	if err != nil {
		return nil, usageError("%w", err)
	}
	return s, nil
}

func (f *localFlags) tenant(p *process, r *rehearsal) (*tenant.Tenant, error) {
	users, err := f.directory()
	if err != nil {
		return nil, err
	}
	o := tenant.Options{
		Users: users, Quota: tenant.Quota(f.quota), Faults: tenant.Faults(f.faults), Seed: f.seed, Logger: p.log,
		NoPremium: f.noPremium,
	}
	if r != nil {
		o.Applications, o.TokenLifetime = []tenant.Application{r.application}, r.lifetime
	}
	t, err := tenant.New(o)
	if err != nil {
		return nil, usageError("%w", err)
	}
	return t, nil
}

func (f *localFlags) directory() ([]tenant.User, error) {
	if f.usersFile == "" {
		if f.users < 0 {
			return nil, usageError("--users is %d; it must not be negative", f.users)
		}
		return tenant.GenerateUsers(f.users, f.seed), nil
	}
	file, err := os.Open(f.usersFile)
	if err != nil {
		return nil, fmt.Errorf("open users file: %w", err)
	}
	defer file.Close()
	users, err := tenant.ReadUsers(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.usersFile, err)
	}
	return users, nil
}

// announcement is the line that --json prints.
type announcement struct {
	ServiceBus string   `json:"servicebus"`
	Graph      string   `json:"graph"`
	AMQPPort   int      `json:"amqp_port"`
	GraphPort  int      `json:"graph_port"`
	Queues     []string `json:"queues"`
	Users      int      `json:"users"`
	// The rest is there with --tls.
	TenantID         string `json:"tenant_id,omitempty"`
	ClientID         string `json:"client_id,omitempty"`
	ClientSecretFile string `json:"client_secret_file,omitempty"`
	CAFile           string `json:"ca_file,omitempty"`
}

func (f *localFlags) announce(w io.Writer, s localServers) error {
	graph := s.graph.Addr().(*net.TCPAddr)
	host := f.host
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	a := announcement{
		ServiceBus: s.broker.ConnectionString(),
		Graph:      "http://" + net.JoinHostPort(host, strconv.Itoa(graph.Port)),
		AMQPPort:   s.amqp.Addr().(*net.TCPAddr).Port,
		GraphPort:  graph.Port,
		Queues:     f.queues,
		Users:      len(s.tenant.Snapshot()),
	}
	more := ""
	if s.rehearsal != nil {
		a.Graph = "https" + strings.TrimPrefix(a.Graph, "http")
		a.TenantID, a.ClientID = s.tenant.ID(), s.clientID
		a.ClientSecretFile, a.CAFile = s.secretFile, s.caFile
		more = s.exports(a.Graph, a.TenantID)
	}
	if f.asJSON {
		return json.NewEncoder(w).Encode(a)
	}
	_, err := fmt.Fprintf(w, `Service Bus  %s
Graph        %s  (%d users)

In another terminal:
  export MUSTER_SERVICEBUS='%s' MUSTER_QUEUE=%s MUSTER_GRAPH=%s
%s  muster load users.csv --tenant contoso.example
  muster worker
`, a.ServiceBus, a.Graph, a.Users, a.ServiceBus, f.queues[0], a.Graph, more)
	return err
}
