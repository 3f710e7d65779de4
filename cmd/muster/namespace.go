package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/servicebus"
)

const closeTimeout = 5 * time.Second

// queueFlags say which queue of which namespace.
type queueFlags struct {
	servicebus string
	queue      string
}

func (q *queueFlags) add(cmd *cobra.Command) {
	q.addNamespace(cmd)
	f := cmd.Flags()
	f.StringVar(&q.queue, "queue", "", "name of the queue")
}

// addNamespace is for a command that takes the queue in another way.
func (q *queueFlags) addNamespace(cmd *cobra.Command) {
	addCredentialFlags(cmd)
	cmd.Flags().StringVar(&q.servicebus, "servicebus", "", "Service Bus namespace, such as contoso.servicebus.windows.net, or a connection string, or @FILE that holds one")
}

// open connects to the namespace.
func (q *queueFlags) open(cmd *cobra.Command, p *process) (*servicebus.Namespace, error) {
	if err := required(cmd, "servicebus", "queue"); err != nil {
		return nil, err
	}
	o, err := q.namespace(cmd, p)
	if err != nil {
		return nil, err
	}
	return openNamespace(o)
}

func openNamespace(o servicebus.Options) (*servicebus.Namespace, error) {
	n, err := servicebus.Open(o)
	if err != nil {
		return nil, usageError("%w", err)
	}
	return n, nil
}

// namespace says how to reach the namespace. A key on the command line is warned
// about: everybody on the machine can read it there.
func (q *queueFlags) namespace(cmd *cobra.Command, p *process) (servicebus.Options, error) {
	address := q.servicebus
	if name, ok := strings.CutPrefix(address, "@"); ok {
		content, err := os.ReadFile(name)
		if err != nil {
			return servicebus.Options{}, fmt.Errorf("read service bus connection string: %w", err)
		}
		address = strings.TrimSpace(string(content))
	} else if servicebus.IsConnectionString(address) && !servicebus.IsEmulator(address) && onCommandLine(cmd, "servicebus") {
		p.log.Warn("the connection string's key is readable by everybody on this machine while the command runs; use MUSTER_SERVICEBUS or --servicebus @FILE")
	}
	roots, err := p.credential.roots()
	if err != nil {
		return servicebus.Options{}, err
	}
	var credential azcore.TokenCredential
	if !servicebus.IsConnectionString(address) {
		if credential, err = p.credential.token(); err != nil {
			return servicebus.Options{}, err
		}
	}
	return servicebus.Options{Address: address, Credential: credential, RootCAs: roots}, nil
}

// closing closes something of Service Bus within its own time, after the
// command's context may have ended. By then whatever counts is settled, so a
// connection that is lost already takes nothing with it.
func (p *process) closing(ctx context.Context, close func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if err := close(ctx); err != nil {
		p.log.Debug("a connection did not close in order", "error", err)
	}
}
