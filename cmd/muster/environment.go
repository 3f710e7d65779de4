package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const environmentPrefix = "MUSTER_"

// environmentName is the environment variable of a flag.
func environmentName(flag string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// applyEnvironment gives every flag of cmd that the command line leaves out the
// value of its environment variable. A variable of ours that no command has a
// flag for is an error: it is a flag misspelt.
func applyEnvironment(root, cmd *cobra.Command, environ []string) error {
	set := make(map[string]string)
	for _, entry := range environ {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, environmentPrefix) {
			set[name] = value
		}
	}
	known := environmentNames(root)
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if !known[name] {
			faults = append(faults, fmt.Errorf("environment variable %s: no command has such a flag", name))
		}
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		value, ok := set[environmentName(f.Name)]
		if !ok || f.Changed {
			return
		}
		// The value is left out of the error: it may be a secret.
		if err := setFromEnvironment(f.Value, value); err != nil {
			faults = append(faults, fmt.Errorf("environment variable %s: not a value for --%s (%s)", environmentName(f.Name), f.Name, f.Value.Type()))
			return
		}
		markFromEnvironment(f)
	})
	if err := errors.Join(faults...); err != nil {
		return usageError("%w", err)
	}
	return nil
}

// setFromEnvironment gives a flag that may be repeated each line of the value.
func setFromEnvironment(to pflag.Value, value string) error {
	if to.Type() != "stringArray" || !strings.Contains(value, "\n") {
		return to.Set(value)
	}
	for line := range strings.Lines(value) {
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			continue
		}
		if err := to.Set(line); err != nil {
			return err
		}
	}
	return nil
}

// environmentNames collects the variables of all commands' flags.
func environmentNames(root *cobra.Command) map[string]bool {
	names := map[string]bool{ledgerKeyVariable: true}
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		add := func(f *pflag.Flag) {
			if f.Name != "help" && f.Name != "version" {
				names[environmentName(f.Name)] = true
			}
		}
		c.LocalFlags().VisitAll(add)
		c.PersistentFlags().VisitAll(add)
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
	for _, name := range secretVariables() {
		names[name] = true
	}
	return names
}

const fromEnvironment = "muster-from-environment"

// markFromEnvironment makes the flag count as given, and remembers that it was
// not on the command line, where everybody on the machine can read it.
func markFromEnvironment(f *pflag.Flag) {
	f.Changed = true
	if f.Annotations == nil {
		f.Annotations = make(map[string][]string)
	}
	f.Annotations[fromEnvironment] = []string{"true"}
}

// onCommandLine tells whether the flag's value was typed.
func onCommandLine(cmd *cobra.Command, name string) bool {
	f := cmd.Flags().Lookup(name)
	return f != nil && f.Changed && len(f.Annotations[fromEnvironment]) == 0
}

// required reports every flag of those named that has no value.
func required(cmd *cobra.Command, names ...string) error {
	var faults []error
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); f.Value.String() == "" {
			faults = append(faults, fmt.Errorf("--%s (or %s) is missing", name, environmentName(name)))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return usageError("%w", err)
	}
	return nil
}
