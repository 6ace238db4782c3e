package weir

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// mediaFolder holds the pictures that flows and brands name, below the data
// folder.
const mediaFolder = "media"

// media serves the files of the media folder at /media/. They cannot lead out
// of the folder, folders are not listed, and a picture opened by itself may do
// nothing.
func (in *Installation) media() (http.Handler, error) {
	folder := filepath.Join(in.config.Data, mediaFolder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make media folder: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("open media folder: %w", err)
	}
	in.mediaRoot = root
	files := http.StripPrefix("/media", http.FileServerFS(filesOnly{root.FS()}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		files.ServeHTTP(w, r)
	}), nil
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
