package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/internal/telemetry"
)

// flushTimeout is how long a process that ends may take to send its last spans.
const flushTimeout = 5 * time.Second

// process is what every subcommand has: a logger and telemetry.
type process struct {
	logFormat, logLevel string
	tracesFile          string
	hashKeyFile         string

	log        *slog.Logger
	credential *credentialFlags // nil for a command that signs in nowhere
	telemetry  *telemetry.Telemetry
	userHash   func(string) string
}

func (p *process) flags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&p.logFormat, "log-format", "text", "format of the log on standard error: text or json")
	f.StringVar(&p.logLevel, "log-level", "info", "least level that is logged: debug, info, warn or error")
	f.StringVar(&p.tracesFile, "traces-file", "", "write every span to this file too, as lines of OTLP JSON")
	f.StringVar(&p.hashKeyFile, "user-hash-key-file", "", "file with the key for the hash that stands for a user whose object id is not known yet; without it such a user stays unnamed in traces")
}

// quiet is the process for a command that tells a person itself what became of
// their wish: unless more was asked for, only errors are logged.
func (p *process) quiet() *process {
	if p.logLevel != "info" {
		return p
	}
	q := *p
	q.log = slog.New(atLeast{p.log.Handler(), slog.LevelError})
	return &q
}

// atLeast passes on what is of that level or above.
type atLeast struct {
	slog.Handler
	level slog.Level
}

func (a atLeast) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= a.level && a.Handler.Enabled(ctx, l)
}

func (a atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{a.Handler.WithAttrs(attrs), a.level}
}

func (a atLeast) WithGroup(name string) slog.Handler {
	return atLeast{a.Handler.WithGroup(name), a.level}
}

// start sets up logging and telemetry once the flags are known.
func (p *process) start(cmd *cobra.Command) error {
	log, err := telemetry.NewLogger(cmd.ErrOrStderr(), p.logFormat, p.logLevel)
	if err != nil {
		return usageError("%w", err)
	}
	p.log = log
	p.credential = readCredentialFlags(cmd)
	if p.userHash, err = userHash(p.hashKeyFile); err != nil {
		return err
	}
	p.telemetry, err = telemetry.Start(cmd.Context(), telemetry.Options{
		ServiceName:    "muster-" + cmd.Name(),
		ServiceVersion: version(),
		TracesFile:     p.tracesFile,
		Logger:         log,
	})
	return err
}

// run makes a command's function send its telemetry before it returns.
func (p *process) run(do func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), flushTimeout)
			defer cancel()
			err = errors.Join(err, p.telemetry.Shutdown(ctx))
		}()
		return do(cmd, args)
	}
}

// userHash returns the keyed hash that stands for a user principal name, nil
// where there is no key: a hash without one is no protection, for names can be
// guessed.
func userHash(keyFile string) (func(string) string, error) {
	if keyFile == "" {
		return nil, nil
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("read user hash key: %w", err)
	}
	if len(key) < 16 {
		return nil, usageError("user hash key: %d bytes are too few, at least 16 are needed", len(key))
	}
	return func(user string) string {
		mac := hmac.New(sha256.New, key)
		io.WriteString(mac, strings.ToLower(user))
		return hex.EncodeToString(mac.Sum(nil)[:16])
	}, nil
}
