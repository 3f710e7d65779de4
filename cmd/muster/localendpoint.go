package main

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/local/broker"
)

// roomy is the size of a queue into which somebody may load millions of rows, in
// MiB: the largest that there is.
const roomy = 80 << 10

// endpointFlags say what the Service Bus endpoint of muster local is like.
type endpointFlags struct {
	amqpPort, amqpsPort, managementPort int

	queues           []string
	sessionQueues    []string
	lockDuration     time.Duration
	maxDeliveryCount int
	keys             []string
	acceptJWT, open  bool
	data             string
	config           string

	made broker.Options // the entities
}

func (f *endpointFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.IntVar(&f.amqpPort, "amqp-port", 5672, "port of the Service Bus endpoint; 0 picks a free one")
	fs.IntVar(&f.amqpsPort, "amqps-port", 5671, "with --tls: port of the endpoint over TLS; 0 picks a free one")
	fs.IntVar(&f.managementPort, "management-port", 5300, "port of the endpoint's management API, and of AMQP over WebSocket; 0 picks a free one")
	fs.StringVar(&f.config, "config", "", "make the queues, topics, subscriptions and rules of this file, the config.json of Microsoft's emulator, in place of those of --queue and --session-queue")
	fs.StringArrayVar(&f.queues, "queue", []string{"commands"}, "name of a queue; may be repeated")
	fs.StringArrayVar(&f.sessionQueues, "session-queue", nil, "name of a queue that requires sessions; may be repeated")
	fs.DurationVar(&f.lockDuration, "lock-duration", time.Minute, "how long a received message is locked, at most 5m")
	fs.IntVar(&f.maxDeliveryCount, "max-delivery-count", 10, "deliveries after which a message is dead-lettered")
	fs.StringVar(&f.data, "data", "", "keep queues and messages in this folder, on disk; default: in memory")
	fs.StringArrayVar(&f.keys, "key", nil, "shared access key, NAME:VALUE or NAME:VALUE:RIGHTS with Manage, Send, Listen joined by +, or NAME:VALUE:RIGHTS@ENTITY for one queue or topic; may be repeated; default: that of Microsoft's emulator")
	fs.BoolVar(&f.acceptJWT, "accept-any-jwt", false, "take every token of Microsoft Entra ID, unverified; on loopback only")
	fs.BoolVar(&f.open, "open", false, "ask for no token, and make a queue for every name, for plain AMQP tools; on loopback only")
}

// entities are those of --config, or else of the flags.
func (f *endpointFlags) entities(cmd *cobra.Command, p *process) (broker.Options, error) {
	if f.config != "" {
		return f.configured(cmd, p)
	}
	if f.lockDuration <= 0 || f.maxDeliveryCount <= 0 {
		return broker.Options{}, usageError("--lock-duration and --max-delivery-count must be more than nothing")
	}
	var o broker.Options
	for _, name := range append(slices.Clone(f.queues), f.sessionQueues...) {
		o.Queues = append(o.Queues, broker.Queue{Name: name, LockDuration: f.lockDuration, MaxDeliveryCount: f.maxDeliveryCount, MaxSizeInMegabytes: roomy})
	}
	for i := range f.sessionQueues {
		o.Queues[len(f.queues)+i].RequiresSession = true
	}
	return o, nil
}

// configured reads --config. The flags that describe queues exclude it. Their
// environment variables are for other commands as well, so they are merely not heeded.
func (f *endpointFlags) configured(cmd *cobra.Command, p *process) (broker.Options, error) {
	for _, name := range []string{"queue", "session-queue", "lock-duration", "max-delivery-count"} {
		switch {
		case onCommandLine(cmd, name):
			return broker.Options{}, usageError("--config says what queues there are: it excludes --%s", name)
		case cmd.Flags().Changed(name):
			p.log.Warn("the queues are those of --config; the environment variable is not heeded", "variable", environmentName(name))
		}
	}
	file, err := os.Open(f.config)
	if err != nil {
		return broker.Options{}, usageError("open configuration: %w", err)
	}
	defer file.Close()
	o, err := broker.ReadConfig(file)
	if err != nil {
		return broker.Options{}, usageError("%s: %w", f.config, err)
	}
	return o, nil
}

func (f *endpointFlags) broker(cmd *cobra.Command, p *process, loopback bool) (*broker.Server, error) {
	if !loopback && (f.acceptJWT || f.open) {
		return nil, usageError("--accept-any-jwt and --open let everybody in: they go with loopback only")
	}
	if len(f.keys) > 0 && onCommandLine(cmd, "key") {
		p.log.Warn("the keys are readable by everybody on this machine while the command runs; use " + environmentName("key"))
	}
	o, err := f.entities(cmd, p)
	if err != nil {
		return nil, err
	}
	f.made = o
	o.Logger, o.Data, o.AcceptJWT, o.Open = p.log, f.data, f.acceptJWT, f.open
	for _, text := range f.keys {
		key, err := parseKey(text)
		if err != nil {
			return nil, err
		}
		if key.Rights == 0 && strings.Contains(key.Value, ":") {
			p.log.Warn("what follows the last colon of this key is no rights, so it was taken for a part of the value", "key", key.Name)
		}
		o.Keys = append(o.Keys, key)
	}
	s, err := broker.New(o)
	if err != nil && f.data == "" {
		return nil, usageError("%w", err)
	}
	return s, err
}

// parseKey reads a key of the command line. Its value may hold colons: only what
// is rights is taken for rights.
func parseKey(text string) (broker.Key, error) {
	name, value, ok := strings.Cut(text, ":")
	if !ok || name == "" || value == "" {
		return broker.Key{}, usageError("a --key has the form NAME:VALUE, NAME:VALUE:RIGHTS or NAME:VALUE:RIGHTS@ENTITY")
	}
	if strings.Contains(text, ";") {
		return broker.Key{}, usageError("a --key has a semicolon, which ends what a connection string says of a key")
	}
	k := broker.Key{Name: name, Value: value}
	if i := strings.LastIndexByte(value, ':'); i > 0 {
		names, entity, scoped := strings.Cut(value[i+1:], "@")
		if rights, err := broker.ParseRights(names); err == nil {
			if scoped && entity == "" {
				return broker.Key{}, usageError("the --key %s is for one queue or topic, but its name is missing after the @", name)
			}
			k.Value, k.Rights, k.Entity = value[:i], rights, entity
		}
	}
	return k, nil
}

// managementSite serves the management API, and beside it AMQP over WebSocket and
// faults for tests. Paths are taken as they are: one with an empty segment is none of
// an entity's, and to redirect its request to another would lose its token and body.
func managementSite(s *broker.Server) http.Handler {
	manage, webSocket, faults := s.ManagementHandler(), s.WebSocketHandler(), s.FaultsHandler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case broker.WebSocketPath, broker.WebSocketPath + "/":
			webSocket.ServeHTTP(w, r)
		case broker.FaultsPath:
			faults.ServeHTTP(w, r)
		default:
			manage.ServeHTTP(w, r)
		}
	})
}
