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
	addCredentialFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&q.servicebus, "servicebus", "", "Service Bus namespace, such as contoso.servicebus.windows.net, or a connection string, or @FILE that holds one")
	f.StringVar(&q.queue, "queue", "", "name of the queue")
}

// open connects to the namespace. A key on the command line is warned about:
// everybody on the machine can read it there.
func (q *queueFlags) open(cmd *cobra.Command, p *process) (*servicebus.Namespace, error) {
	if err := required(cmd, "servicebus", "queue"); err != nil {
		return nil, err
	}
	address := q.servicebus
	if name, ok := strings.CutPrefix(address, "@"); ok {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read service bus connection string: %w", err)
		}
		address = strings.TrimSpace(string(content))
	} else if servicebus.IsConnectionString(address) && !servicebus.IsEmulator(address) && onCommandLine(cmd, "servicebus") {
		p.log.Warn("the connection string's key is readable by everybody on this machine while the command runs; use MUSTER_SERVICEBUS or --servicebus @FILE")
	}
	roots, err := p.credential.roots()
	if err != nil {
		return nil, err
	}
	var credential azcore.TokenCredential
	if !servicebus.IsConnectionString(address) {
		if credential, err = p.credential.token(); err != nil {
			return nil, err
		}
	}
	n, err := servicebus.Open(servicebus.Options{Address: address, Credential: credential, RootCAs: roots})
	if err != nil {
		return nil, usageError("%w", err)
	}
	return n, nil
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
