package main

import (
	"encoding/json"

	"github.com/spf13/cobra"
)

func newUserShow(p *process) *cobra.Command {
	var g graphFlags
	var s subjectFlags
	cmd := &cobra.Command{
		Use:   "show USER",
		Short: "Show the methods, states and default method of one user",
		Long: `Show what Microsoft Graph holds of one user: each method with its id, whether SMS
sign-in is on and if not why, the per-user MFA state, the default method, and whether
system-preferred authentication passes over it.

What the application may not read is named with the permission that it lacks.

` + exitCodes,
		Args: oneUser(0, "one user, by object id or user principal name"),
		RunE: p.run(func(cmd *cobra.Command, args []string) error {
			if err := required(cmd, "tenant"); err != nil {
				return err
			}
			client, err := g.client(p)
			if err != nil {
				return err
			}
			state, err := readUser(cmd.Context(), client.Directory(s.tenant), args[0])
			if err != nil {
				return err
			}
			view := newUserView(state, s.reveal)
			if s.asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(view)
			}
			return view.text(cmd.OutOrStdout())
		}),
	}
	g.add(cmd)
	s.add(cmd)
	return cmd
}
