// Command muster gets people ready for multi-factor sign-in in Microsoft Entra
// ID: it loads files of users into a Service Bus queue, works the queue off
// against Microsoft Graph, and brings a Service Bus endpoint and a simulated
// tenant for rehearsals.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes. The root command's help prints the same table.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitPartly      = 3
	exitInterrupted = 130
)

const exitCodes = `Exit codes:
  0    done
  1    it could not be done
  2    the command line or an environment variable is wrong
  3    done, but not for all: rows were rejected, or commands dead-lettered
  130  interrupted before it was done`

// errPartly ends a command that did what could be done, but not for all.
var errPartly = errors.New("not all of it could be done")

// errUsage is matched by errors of the command line or the environment.
var errUsage = errors.New("wrong usage")

type usageFault struct{ error }

func (f *usageFault) Unwrap() error        { return f.error }
func (f *usageFault) Is(target error) bool { return target == errUsage }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	os.Exit(exitCode(err))
}

// run is main without the process around it. A second signal ends the process at
// once, for the first one restores the default.
func run(ctx context.Context, args []string) error {
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !errors.Is(err, errPartly) {
		fmt.Fprintln(root.ErrOrStderr(), "muster:", err)
	}
	return err
}

func exitCode(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errPartly):
		return exitPartly
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	default:
		return exitFailure
	}
}

func newRoot() *cobra.Command {
	p := &process{}
	root := &cobra.Command{
		Use:   "muster",
		Short: "Get people ready for multi-factor sign-in in Microsoft Entra ID, at queue scale",
		Long: `Muster gets people ready for multi-factor sign-in in Microsoft Entra ID.

Commands travel through a Service Bus queue; workers apply them to Microsoft Graph
under one rate limit for each tenant; what can never work is dead-lettered with a
reason; every user has an OpenTelemetry trace.

Every flag can be given as an environment variable too: --graph is MUSTER_GRAPH,
--admin-address is MUSTER_ADMIN_ADDRESS; of one that may be repeated, a line for each
value. The flag wins. Traces go where the standard OTEL_* variables say.

` + exitCodes,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := applyEnvironment(root, cmd, os.Environ()); err != nil {
			return err
		}
		return p.start(cmd)
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError("%w", err) })
	p.flags(root)
	root.AddCommand(newLocal(p), newWorker(p), newLoad(p), newPublish(p), newDeadLetter(p), newApply(p), newSchema())
	root.AddCommand(newUser(p), newLedger(p), newRollback(p), newDoctor(p), newReport(p), newQueues(p))
	root.CompletionOptions.HiddenDefaultCmd = true
	return root
}

func usageError(format string, args ...any) error {
	return &usageFault{fmt.Errorf(format, args...)}
}

// knownCommand is for a command that has only subcommands.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("; did you mean %s?", near[0])
	}
	return usageError("%s has no command %q%s", cmd.CommandPath(), args[0], hint)
}

// noArgs is cobra's, with the exit code for usage.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError("%s takes no argument, but there is %q; see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError("%s takes one file; see %s --help", cmd.CommandPath(), cmd.CommandPath())
	}
	return nil
}

// version is the module's, with the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			v += " " + s.Value[:12]
		}
	}
	return v
}
