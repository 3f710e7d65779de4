package main

import (
	"fmt"
	"strconv"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/phone"
	"github.com/muster-mfa/muster/ratelimit"
)

// graphFlags say where Microsoft Graph is and what it allows.
type graphFlags struct {
	endpoint              string
	readsPerSecond        rateValue
	writesPerSecond       rateValue
	readBurst, writeBurst int
	region                string
	strictness            phone.Strictness
}

// add adds what every command takes that reads from Graph.
func (g *graphFlags) add(cmd *cobra.Command) {
	addCredentialFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&g.endpoint, "graph", "", "address of Microsoft Graph; default: that of --cloud")
	f.Var(&g.readsPerSecond, "reads-per-second", fmt.Sprintf("reads sent to one tenant in a second at most, or unlimited (default %d)", ratelimit.DefaultReadsPerSecond))
	f.IntVar(&g.readBurst, "read-burst", ratelimit.DefaultReadBurst, "reads that may go at once after a quiet time")
}

// addWrites is for a command that writes to Graph too.
func (g *graphFlags) addWrites(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Var(&g.writesPerSecond, "writes-per-second", fmt.Sprintf("writes sent to one tenant in a second at most, or unlimited (default %d)", ratelimit.DefaultWritesPerSecond))
	f.IntVar(&g.writeBurst, "write-burst", ratelimit.DefaultWriteBurst, "writes that may go at once after a quiet time")
}

// addNumbers is for a command that is given numbers: how they are read.
func (g *graphFlags) addNumbers(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&g.region, "region", "", "country of numbers without one, such as NL; default: such numbers are refused")
	f.TextVar(&g.strictness, "numbers", phone.Valid, "what a number must be, `valid|possible`: of its country's numbering plan, or only of a length that it knows")
}

func (g *graphFlags) numbers() phone.Policy {
	return phone.Policy{Region: g.region, Strictness: g.strictness}
}

// client builds the client of Microsoft Graph and the budgets that it obeys.
func (g *graphFlags) client(p *process) (*graphclient.Client, error) {
	where, err := p.credential.where()
	if err != nil {
		return nil, err
	}
	if g.endpoint != "" {
		where.Endpoint = g.endpoint
	}
	budgets, err := ratelimit.New(ratelimit.Options{
		ReadsPerSecond: float64(g.readsPerSecond), WritesPerSecond: float64(g.writesPerSecond),
		ReadBurst: g.readBurst, WriteBurst: g.writeBurst,
	})
	if err != nil {
		return nil, usageError("%w", err)
	}
	credential, err := graphCredential(p, where)
	if err != nil {
		return nil, err
	}
	roots, err := p.credential.roots()
	if err != nil {
		return nil, err
	}
	client, err := graphclient.New(graphclient.Options{
		Endpoint:   where.Endpoint,
		Credential: credential,
		RootCAs:    roots,
		Limiter:    budgets,
		UserAgent:  "muster/" + version(),
		Logger:     p.log,
	})
	if err != nil {
		return nil, usageError("%w", err)
	}
	return client, nil
}

// graphCredential is what the flags ask for. A simulated tenant on loopback
// without TLS needs none.
func graphCredential(p *process, where graphclient.Cloud) (azcore.TokenCredential, error) {
	if isLoopbackHTTP(where.Endpoint) {
		return nil, nil
	}
	return p.credential.token()
}

// rateValue is a rate per second, or unlimited; zero means the default.
type rateValue float64

func (r *rateValue) String() string {
	switch *r {
	case 0:
		return ""
	case ratelimit.Unlimited:
		return "unlimited"
	}
	return strconv.FormatFloat(float64(*r), 'g', -1, 64)
}

func (r *rateValue) Set(s string) error {
	if s == "unlimited" {
		*r = ratelimit.Unlimited
		return nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v <= 0 {
		return fmt.Errorf("%q is neither a positive number nor unlimited", s)
	}
	*r = rateValue(v)
	return nil
}

func (r *rateValue) Type() string { return "rate" }
