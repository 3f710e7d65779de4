package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/tenant"
)

type localFlags struct {
	tls           localTLSFlags
	endpoint      endpointFlags
	host          string
	graphPort     int
	users         int
	usersFile     string
	quota, faults string
	seed          uint64
	asJSON        bool
	noPremium     bool
}

func newLocal(p *process) *cobra.Command {
	var f localFlags
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Run a Service Bus endpoint and a simulated tenant on this machine",
		Long: `Run a Service Bus endpoint and a simulated Microsoft Entra tenant on loopback.

The endpoint speaks AMQP 1.0 to any Service Bus client that is given the connection
string printed at the start, and the management API to administration clients. The
tenant answers as Microsoft Graph does, with its quotas, and misbehaves as it does on a
bad day: --faults none makes it behave, and the same --seed makes it misbehave the same
way again. Everything is in memory and gone at the end, but for the queues and messages
of --data FOLDER: a message that was acknowledged is there again, however the process
ended. It runs until Ctrl-C or SIGTERM.

The endpoint has the queues of --queue and --session-queue, or with --config FILE the
entities of a config.json as Microsoft's Service Bus emulator reads it.

With --tls FOLDER the tenant is served over TLS, knows one application with the
permissions of --grant, and issues and checks access tokens: for rehearsing credentials
and muster doctor. The endpoint then speaks TLS too, on --amqps-port, and takes AMQP over
WebSocket on --management-port.

Exit codes:
  0    stopped, as it was asked to
  1    it could not be started, or a part of it has failed
  2    the command line, an environment variable or the file of --config is wrong`,
		Args: noArgs,
		RunE: p.run(func(cmd *cobra.Command, _ []string) error { return runLocal(cmd, p, &f) }),
	}
	fs := cmd.Flags()
	fs.StringVar(&f.host, "host", "127.0.0.1", "address to listen on; anything but loopback opens both services, unprotected, to the network")
	fs.IntVar(&f.graphPort, "graph-port", 5380, "port of the tenant; 0 picks a free one")
	f.endpoint.add(cmd)
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

func runLocal(cmd *cobra.Command, p *process, f *localFlags) error {
	if strings.EqualFold(f.host, "localhost") {
		f.host = "127.0.0.1" // a name could lead anywhere, this one can't
	}
	loopback := isLoopback(f.host)
	rehearsal, err := f.tls.rehearsal(cmd, f.host)
	if err != nil {
		return err
	}
	directory, err := f.tenant(p, rehearsal)
	if err != nil {
		return err
	}
	server, err := f.endpoint.broker(cmd, p, loopback)
	if err != nil {
		return err
	}
	s := localServers{broker: server, tenant: directory, rehearsal: rehearsal}
	if err := s.listen(f); err != nil {
		return errors.Join(err, s.hangUp())
	}
	if !loopback {
		p.log.Warn("listening beyond loopback: everybody on the network can use the endpoint and the tenant", "host", f.host)
	}
	return serveLocal(cmd, p, f, s)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// localServers are the services and where they listen.
type localServers struct {
	broker     *broker.Server
	amqp       net.Listener
	amqps      net.Listener // nil without --tls
	management net.Listener
	tenant     *tenant.Tenant
	graph      net.Listener
	*rehearsal
}

// listen opens every port; what is open stays so after an error.
func (s *localServers) listen(f *localFlags) error {
	ports := []struct {
		to         *net.Listener
		what, flag string
		port       int
	}{
		{&s.amqp, "the Service Bus endpoint", "amqp-port", f.endpoint.amqpPort}, {&s.management, "the management API", "management-port", f.endpoint.managementPort},
		{&s.graph, "the tenant", "graph-port", f.graphPort}, {&s.amqps, "the Service Bus endpoint over TLS", "amqps-port", f.endpoint.amqpsPort},
	}
	if s.rehearsal == nil {
		ports = ports[:3]
	}
	for _, p := range ports {
		if p.port < 0 || p.port > math.MaxUint16 {
			return usageError("--%s is %d; it must be 0 to %d", p.flag, p.port, math.MaxUint16)
		}
		l, err := net.Listen("tcp", net.JoinHostPort(f.host, strconv.Itoa(p.port)))
		if err != nil {
			return fmt.Errorf("listen for %s (--%s): %w", p.what, p.flag, err)
		}
		*p.to = l
	}
	return nil
}

func (s *localServers) hangUp() error {
	var err error
	for _, l := range []net.Listener{s.amqp, s.amqps, s.management, s.graph} {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}
	return err
}

// serveLocal runs all services until the context ends or one of them fails.
func serveLocal(cmd *cobra.Command, p *process, f *localFlags, s localServers) error {
	sites := []*site{newSite(s.tenant), newSite(managementSite(s.broker))}
	sites[1].oneRequestAtATime()
	for _, site := range sites {
		site.tell(p.log)
	}
	services := []func() error{func() error { return s.broker.Serve(s.amqp) }}
	for i, l := range []net.Listener{s.graph, s.management} {
		services = append(services, func() error { return s.serveSite(sites[i], l) })
	}
	if s.rehearsal != nil {
		services = append(services, func() error {
			// The connection string is for the listener that is served first: the plain one.
			s.broker.ConnectionString()
			return s.broker.Serve(tls.NewListener(s.amqps, s.config))
		})
	}
	failed := make(chan error, len(services))
	for _, serve := range services {
		go func() { failed <- serve() }()
	}
	err := f.announce(cmd.OutOrStdout(), s)
	running := len(services)
	if err == nil {
		select {
		case <-cmd.Context().Done():
			p.log.Info("stopping")
		case err = <-failed:
			running--
		}
	}
	s.shutDown(cmd.Context(), sites)
	for range running {
		if e := <-failed; !errors.Is(e, http.ErrServerClosed) && !errors.Is(e, broker.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// serveSite serves over TLS where there are certificates.
func (s *localServers) serveSite(site *site, l net.Listener) error {
	if s.rehearsal == nil {
		return site.Serve(l)
	}
	site.TLSConfig = s.config.Clone() // serving changes it
	return site.ServeTLS(l, "", "")
}

// shutDown ends all services. What hangs on for longer is cut off; there is nobody
// to tell.
func (s *localServers) shutDown(ctx context.Context, sites []*site) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	var ending sync.WaitGroup // side by side, so that no one takes the time of another
	for _, site := range sites {
		ending.Go(func() { site.shutDown(ctx) })
	}
	if s.broker.Shutdown(ctx) != nil {
		s.broker.Close()
	}
	ending.Wait()
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

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }
