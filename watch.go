package weir

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"time"

	"github.com/weir-id/weir/internal/blueprint"
)

// folderPoll is how often the folder of blueprints is read. Reading it costs
// little, and works on network file systems and mounted volumes, which do not
// announce changes.
const folderPoll = 10 * time.Second

// folderCare is how often all files are looked at, whether they have changed or
// not: refused ones are tried again, and instances without a file cleaned up.
const folderCare = time.Hour

// folder applies the blueprints of a folder when they change.
type folder struct {
	importer *blueprint.Importer
	in       *Installation
	// seen are the files that need no look until then, or until they change.
	seen map[string][sha256.Size]byte
	// cared is when all files were looked at last.
	cared time.Time
}

func (in *Installation) newFolder(i *blueprint.Importer) *folder {
	return &folder{importer: i, in: in, seen: map[string][sha256.Size]byte{}, cared: in.now()}
}

// watchBlueprints applies the folder of the settings now and goes on until ctx
// ends.
func (s *Server) watchBlueprints(ctx context.Context) error {
	importer, err := s.importer()
	if err != nil {
		return err
	}
	f := s.newFolder(importer)
	f.apply(ctx)
	s.background.Go(func() {
		tick := time.NewTicker(folderPoll)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				f.apply(ctx)
			}
		}
	})
	return nil
}

// apply applies the files that are new or different, each on its own. A file
// may need what another one makes, so those that were refused are tried again
// as long as others succeed. What is refused then waits for its next change, or
// for an hour.
func (f *folder) apply(ctx context.Context) {
	files, err := blueprint.Files(ctx, f.in.files.FS())
	if err != nil {
		f.in.log.ErrorContext(ctx, "blueprints not read", slog.Any("error", err))
		return
	}
	if f.in.now().Sub(f.cared) >= folderCare {
		f.cared = f.in.now()
		clear(f.seen)
		if err := f.importer.Clean(ctx); err != nil {
			f.in.log.ErrorContext(ctx, "instances of blueprints not cleaned up", slog.Any("error", err))
		}
	}
	var pending []blueprint.File
	for _, file := range files {
		sum := sha256.Sum256(file.Data)
		if f.seen[file.Name] == sum {
			continue
		}
		f.seen[file.Name] = sum
		pending = append(pending, file)
	}
	problems := map[string]error{}
	for before := len(pending) + 1; len(pending) > 0 && len(pending) < before; {
		before = len(pending)
		var refused []blueprint.File
		for _, file := range pending {
			applied, err := f.importer.Discover(ctx, file)
			if err != nil {
				refused = append(refused, file)
				problems[file.Name] = err
			}
			if !applied {
				continue
			}
			if err := f.in.settleSetup(ctx); err != nil {
				f.in.log.ErrorContext(ctx, "state of the initial set-up not stored", slog.Any("error", err))
			}
		}
		pending = refused
	}
	for _, file := range pending {
		f.in.log.ErrorContext(ctx, "blueprint not applied", slog.String("file", file.Name), slog.Any("error", problems[file.Name]))
	}
}
