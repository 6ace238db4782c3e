// Package media holds the pictures that flows, brands and applications name:
// files in one folder, which are shown to everybody. What is put there through
// the API is a picture of a known kind and nothing that a browser would run.
package media

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// Limits of what is put there through the API.
const (
	MaxBytes = 2 << 20
	maxFiles = 1000
)

// Kinds are the media types of pictures by the end of their names.
var Kinds = map[string]string{".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
	".webp": "image/webp", ".avif": "image/avif", ".gif": "image/gif", ".ico": "image/x-icon"}

// Why a file is not put there, in words for people.
var (
	ErrName   = errors.New("enter a name of letters, digits and . _ / - that ends with .svg, .png, .jpg, .jpeg, .webp, .avif, .gif or .ico")
	ErrExists = errors.New("choose another name; a file with this one exists")
	ErrFull   = fmt.Errorf("delete some files first; there are %d", maxFiles)
	// ErrNone means that there is no such file.
	ErrNone = errors.New("there is no such file")
)

// Folder is the folder. It is safe for concurrent use.
type Folder struct{ root *os.Root }

// Open opens the folder, which it makes where it is not there. The caller closes
// it.
func Open(name string) (*Folder, error) {
	if err := os.MkdirAll(name, 0o700); err != nil {
		return nil, fmt.Errorf("make media folder: %w", err)
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("open media folder: %w", err)
	}
	return &Folder{root}, nil
}

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

// Kind is the media type of a file by its name; empty for no picture.
func Kind(name string) string { return Kinds[strings.ToLower(path.Ext(name))] }

// ServeHTTP serves the files below /media/. They cannot lead out of the folder,
// folders are not listed, and a picture opened by itself may do nothing.
func (f *Folder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/") {
		http.NotFound(w, r)
		return
	}
	head := w.Header()
	head.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	head.Set("X-Content-Type-Options", "nosniff")
	http.StripPrefix("/media", http.FileServerFS(filesOnly{f.root.FS()})).ServeHTTP(w, r)
}

// filesOnly hides folders and what begins with a dot.
type filesOnly struct{ fs.FS }

// Open implements fs.FS.
func (f filesOnly) Open(name string) (fs.File, error) {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") && part != "." {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
	}
	file, err := f.FS.Open(name)
	if err != nil {
		// Whatever the reason, such as a link that leads out: it is not here.
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	info, err := file.Stat()
	if err != nil || info.IsDir() {
		return nil, errors.Join(&fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}, err, file.Close())
	}
	return file, nil
}

// fileName is a name that the API takes: no part begins with a dot.
var fileName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*){0,4}$`)

// manageable tells whether the API takes a name.
func manageable(name string) bool {
	return len(name) <= 200 && fileName.MatchString(name) && Kind(name) != ""
}

// List returns the names of the pictures that the API can manage, sorted.
func (f *Folder) List() ([]string, error) {
	var out []string
	err := fs.WalkDir(f.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(d.Name(), ".") && d.IsDir():
			return fs.SkipDir
		case d.Type().IsRegular() && manageable(name):
			out = append(out, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list media folder: %w", err)
	}
	slices.Sort(out)
	return out, nil
}

// Put stores a new picture. It is there whole or not at all. The error wraps one
// of those above, or says what is wrong with the picture.
func (f *Folder) Put(name string, data []byte) error {
	if !manageable(name) {
		return ErrName
	}
	if err := check(Kind(name), data); err != nil {
		return err
	}
	have, err := f.List()
	if err != nil {
		return err
	}
	if len(have) >= maxFiles {
		return ErrFull
	}
	if folder := path.Dir(name); folder != "." {
		if err := f.root.MkdirAll(folder, 0o700); err != nil {
			return fmt.Errorf("%w: %w", ErrExists, err) // a file is called like the folder
		}
	}
	part := ".upload-" + uuid.NewString()
	if err := f.root.WriteFile(part, data, 0o600); err != nil {
		return errors.Join(fmt.Errorf("store picture: %w", err), f.root.Remove(part))
	}
	// Unlike a rename this replaces nothing.
	err = f.root.Link(part, name)
	if errors.Is(err, fs.ErrExist) {
		err = ErrExists
	} else if err != nil {
		err = fmt.Errorf("store picture: %w", err)
	}
	return errors.Join(err, f.root.Remove(part))
}

// Remove deletes a picture. The error is ErrNone for one that is not there.
func (f *Folder) Remove(name string) error {
	if !manageable(name) {
		return ErrNone
	}
	if info, err := f.root.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return ErrNone
	}
	if err := f.root.Remove(name); err != nil {
		return fmt.Errorf("delete picture: %w", err)
	}
	return nil
}
