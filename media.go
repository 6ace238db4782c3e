package weir

import (
	"path/filepath"

	"github.com/weir-id/weir/internal/media"
)

// mediaFolder holds the pictures that flows and brands name, below the data
// folder.
const mediaFolder = "media"

// openMedia opens the folder with the pictures, until the server is closed.
func (in *Installation) openMedia() (err error) {
	in.media, err = media.Open(filepath.Join(in.config.Data, mediaFolder))
	return err
}
