package main

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/worker"
)

// limitFlags say what a worker may do, and to whom.
type limitFlags struct {
	allow     allowValue
	scopeFile string
	verify    bool
}

func (f *limitFlags) add(cmd *cobra.Command) {
	var names []string
	for _, c := range worker.Capabilities() {
		names = append(names, c.Name)
	}
	fs := cmd.Flags()
	fs.Var(&f.allow, "allow", "what commands may ask for, out of "+strings.Join(names, ",")+"; the rest is refused (default all)")
	fs.StringVar(&f.scopeFile, "scope", "", "YAML file that says whom commands may change; others are refused (default everybody)")
	fs.BoolVar(&f.verify, "verify", false, "read back what was written, until Microsoft Graph shows it")
}

// scope reads the scope file, if there is to be one.
func (f *limitFlags) scope() (*worker.Scope, error) {
	if f.scopeFile == "" {
		return nil, nil
	}
	file, err := os.Open(f.scopeFile)
	if err != nil {
		return nil, usageError("open scope: %w", err)
	}
	defer file.Close()
	s, err := worker.ReadScope(file)
	if err != nil {
		return nil, usageError("%s: %w", f.scopeFile, err)
	}
	return s, nil
}

// allowValue is a list of capabilities. Their names are the worker's to check; an
// empty list is refused here, for it would allow everything.
type allowValue []string

func (a *allowValue) String() string { return strings.Join(*a, ",") }

func (a *allowValue) Set(s string) error {
	for name := range strings.SplitSeq(s, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			return errors.New("it names a capability that is empty")
		}
		*a = append(*a, name)
	}
	return nil
}

func (a *allowValue) Type() string { return "capabilities" }
