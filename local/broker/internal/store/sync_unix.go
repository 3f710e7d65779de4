//go:build unix

package store

import (
	"errors"
	"os"
)

// syncFolder has the disk keep which files a folder has.
func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
