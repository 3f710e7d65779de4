package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/bulk"
)

type applyFlags struct {
	fileFlags
	workFlags
	summaryFile string
}

func newApply(p *process) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply FILE.csv",
		Short: "Apply a file of users to Microsoft Graph, with no Service Bus",
		Long: `Apply a CSV file of users to Microsoft Graph, from beginning to end.

The queue is in the process: rows are loaded into it, worked off, and summed up. The
columns are those of muster load. It does the same against the real Microsoft Graph
and against the simulated tenant of muster local.

The queue is in memory. A run that is interrupted is resumed by running it again: what
Graph holds already costs a read and no write.

` + exitCodes,
		Args: oneFile,
		RunE: p.run(func(cmd *cobra.Command, args []string) error { return apply(cmd, p, args[0], &f) }),
	}
	f.fileFlags.add(cmd)
	f.workFlags.add(cmd)
	f.addNumbers(cmd)
	cmd.Flags().StringVar(&f.summaryFile, "summary", "", "write the summary to this file, as JSON")
	return cmd
}

func apply(cmd *cobra.Command, p *process, name string, f *applyFlags) (err error) {
	if f.summaryFile != "" && filepath.Dir(f.summaryFile) != "." {
		if err := os.MkdirAll(filepath.Dir(f.summaryFile), 0o755); err != nil {
			return fmt.Errorf("make room for the summary: %w", err)
		}
	}
	client, err := f.client(p)
	if err != nil {
		return err
	}
	started := time.Now()
	r, err := f.openRoad(cmd.Context(), p, client)
	if err != nil {
		return err
	}
	defer r.close(&err)
	f.startCheckup(cmd.Context(), p, client, r.scope, "")
	defer f.checkup.stop()
	loaded, err := f.loadAndWork(cmd, p, name, r)
	total := r.counts.total(newLoadSummary(f.run, loaded), client.Stats(), time.Since(started))
	if err == nil || loaded.Rows > 0 {
		err = errors.Join(err, total.print(cmd.OutOrStdout()))
		tellRest(f.say(cmd), &f.fileFlags, loaded)
		if f.summaryFile != "" {
			err = errors.Join(err, total.write(f.summaryFile))
		}
	}
	if err != nil {
		return err
	}
	return verdictOn(cmd, total)
}

// loadAndWork loads the file and then works until the queue is empty. Loading is
// far faster than Graph, and the rejects are known before the first write.
func (f *applyFlags) loadAndWork(cmd *cobra.Command, p *process, name string, r *road) (bulk.Result, error) {
	loaded, err := loadFile(cmd, p, name, &f.fileFlags, f.numbers(), r.sender, roadQueue)
	if err != nil {
		return loaded, err
	}
	return loaded, r.work(cmd.Context(), f.say(cmd), loaded.Accepted)
}
