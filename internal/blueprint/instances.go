package blueprint

import (
	"cmp"
	"context"
	"crypto/sha512"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Instances know the blueprints that stand on the server.
type Instances interface {
	// Instance returns the first blueprint that agrees with match, which holds
	// the metadata "name", the "path" or both; nil when there is none.
	Instance(ctx context.Context, match map[string]any) (*File, error)
	// Open returns the file at a path, false when there is none.
	Open(path string) (File, bool, error)
	// Available lists the files that are valid, by path.
	Available(ctx context.Context) ([]Available, error)
}

// Available is a file that an instance may name by its path.
type Available struct {
	Path string
	// Name is that of the metadata; the path for files that have none.
	Name   string
	Labels map[string]string
	// Hash is the SHA-512 of the text in hex.
	Hash string
	// Modified is when the file was written; 1970 for the default blueprints.
	Modified time.Time
}

//go:embed defaults/*.yaml
var defaults embed.FS

// Defaults are the blueprints that a new installation begins with.
func Defaults() fs.FS {
	below, err := fs.Sub(defaults, "defaults")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	return below
}

// Files reads all blueprints of a folder, with the folders in it: files that
// end in .yaml, in the order of their paths, without those that have a path
// part beginning with a dot.
func Files(ctx context.Context, folder fs.FS) ([]File, error) {
	var files []File
	err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case name != "." && strings.HasPrefix(path.Base(name), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir() || path.Ext(name) != ".yaml":
			return nil
		}
		data, err := readLimited(folder, name)
		if err != nil {
			return err
		}
		files = append(files, File{Name: name, Data: data})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read blueprints: %w", err)
	}
	return files, nil
}

// readLimited reads a regular file, one byte more than a blueprint may have so
// that Load can say so.
func readLimited(folder fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(folder, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}
	}
	f, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxBytes+1))
}

// Folder makes the blueprints below one or more folders known. They are read
// when asked for, so changes count; the earlier folder wins.
func Folder(folders ...fs.FS) Instances { return inFolders(folders) }

type inFolders []fs.FS

// Instance implements Instances.
func (folders inFolders) Instance(ctx context.Context, match map[string]any) (*File, error) {
	for _, folder := range folders {
		files, err := Files(ctx, folder)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			d, err := Load(f)
			if err != nil {
				// An invalid file has no name to be found by, only a path.
				d = &Document{}
			}
			if matches(match, d.Name, f.Name) {
				return &f, nil
			}
		}
	}
	return nil, nil
}

// Open implements Instances.
func (folders inFolders) Open(name string) (File, bool, error) {
	if !fs.ValidPath(name) || path.Ext(name) != ".yaml" || strings.HasPrefix(name, ".") || strings.Contains(name, "/.") {
		return File{}, false, nil
	}
	for _, folder := range folders {
		data, err := readLimited(folder, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return File{}, false, fmt.Errorf("read blueprint: %w", err)
		}
		return File{Name: name, Data: data}, true, nil
	}
	return File{}, false, nil
}

// Available implements Instances.
func (folders inFolders) Available(ctx context.Context) ([]Available, error) {
	found := map[string]Available{}
	for _, folder := range folders {
		files, err := Files(ctx, folder)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if _, hidden := found[f.Name]; hidden {
				continue
			}
			info, err := fs.Stat(folder, f.Name)
			if err != nil {
				return nil, fmt.Errorf("read blueprints: %w", err)
			}
			a := Available{Path: f.Name, Hash: hashOf(f.Data), Modified: info.ModTime()}
			if a.Modified.IsZero() {
				a.Modified = time.Unix(0, 0)
			}
			if d, err := Load(f); err == nil {
				a.Name, a.Labels = cmp.Or(d.Name, f.Name), d.Labels
			}
			found[f.Name] = a
		}
	}
	out := slices.SortedFunc(maps.Values(found), func(a, b Available) int { return strings.Compare(a.Path, b.Path) })
	return slices.DeleteFunc(out, func(a Available) bool { return a.Name == "" }), nil
}

// hashOf is how the API names a text.
func hashOf(data []byte) string {
	sum := sha512.Sum512(data)
	return hex.EncodeToString(sum[:])
}
