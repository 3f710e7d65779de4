package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/messages"
)

func newSchema() *cobra.Command {
	schemas := map[string]func() string{
		"command": messages.CommandSchema,
		"event":   messages.EventSchema,
		"outcome": messages.OutcomeSchema,
	}
	return &cobra.Command{
		Use:       "schema command|event|outcome",
		Short:     "Print a JSON Schema of the messages",
		Long:      "Print the JSON Schema of a command's data, of the CloudEvent around it, or of an outcome.",
		ValidArgs: []string{"command", "event", "outcome"},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || schemas[args[0]] == nil {
				return usageError("%s takes one of command, event, outcome", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), schemas[args[0]]())
			return err
		},
	}
}
