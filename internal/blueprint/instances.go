package blueprint

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// Instance is a blueprint that others may apply.
type Instance struct {
	File File
	// Context wins over the context of the document.
	Context map[string]any
}

// Instances know the blueprints that others may apply.
type Instances interface {
	// Instance returns the first blueprint that agrees with match, which holds
	// the metadata "name", the "path" or both; nil when there is none.
	Instance(ctx context.Context, match map[string]any) (*Instance, error)
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

func (folders inFolders) Instance(ctx context.Context, match map[string]any) (*Instance, error) {
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
				return &Instance{File: f}, nil
			}
		}
	}
	return nil, nil
}
