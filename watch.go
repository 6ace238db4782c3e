package weir

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"time"

	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/catalog"
)

// folderPoll is how often the folder of blueprints is read. Reading it costs
// little, and works on network file systems and mounted volumes, which do not
// announce changes.
const folderPoll = 10 * time.Second

// folder applies the blueprints of a folder when they change.
type folder struct {
	importer *blueprint.Importer
	in       *Installation
	seen     map[string][sha256.Size]byte
}

// watchBlueprints applies the folder of the settings now and goes on until ctx
// ends.
func (s *Server) watchBlueprints(ctx context.Context) error {
	importer, err := s.importer()
	if err != nil {
		return err
	}
	f := &folder{importer: importer, in: s.Installation, seen: map[string][sha256.Size]byte{}}
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
// as long as others succeed. What is refused then waits for its next change.
func (f *folder) apply(ctx context.Context) {
	files, err := blueprint.Files(ctx, f.in.files.FS())
	if err != nil {
		f.in.log.ErrorContext(ctx, "blueprints not read", slog.Any("error", err))
		return
	}
	var pending []blueprint.File
	for _, file := range files {
		sum := sha256.Sum256(file.Data)
		if f.seen[file.Name] == sum {
			continue
		}
		f.seen[file.Name] = sum
		if d, err := blueprint.Load(file); err == nil && d.Labels[blueprint.LabelInstantiate] == "false" {
			continue
		}
		pending = append(pending, file)
	}
	problems := map[string]error{}
	for before := len(pending) + 1; len(pending) > 0 && len(pending) < before; {
		before = len(pending)
		var refused []blueprint.File
		for _, file := range pending {
			_, err := f.importer.Apply(ctx, []blueprint.File{file}, blueprint.Options{AllowEnv: true, By: catalog.Meta{Actor: "weir", Source: "file " + file.Name}})
			if err != nil {
				refused = append(refused, file)
				problems[file.Name] = err
				continue
			}
			f.note(ctx, file, nil)
			if err := f.in.settleSetup(ctx); err != nil {
				f.in.log.ErrorContext(ctx, "state of the initial set-up not stored", slog.Any("error", err))
			}
		}
		pending = refused
	}
	for _, file := range pending {
		f.in.log.ErrorContext(ctx, "blueprint not applied", slog.String("file", file.Name), slog.Any("error", problems[file.Name]))
		f.note(ctx, file, problems[file.Name])
	}
}

// note tells the instances that name the file by its path.
func (f *folder) note(ctx context.Context, file blueprint.File, failed error) {
	if err := f.importer.NoteFile(ctx, file, failed); err != nil {
		f.in.log.ErrorContext(ctx, "status of blueprint not stored", slog.String("file", file.Name), slog.Any("error", err))
	}
}
