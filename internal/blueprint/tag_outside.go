package blueprint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// env is "!Env NAME" or "!Env [NAME, default]". An unset or empty variable
// gives the default, else null.
type env struct {
	position
	variable, fallback value
}

func (a arguments) env() value {
	variable, fallback, ok := a.wordOrPair("the name of a variable")
	if !ok {
		return nil
	}
	return &env{a.position, variable, fallback}
}

func (t *env) resolve(s *scope) (any, error) {
	name, err := wantText(s, t.variable, "the name of !Env")
	if err != nil {
		return nil, err
	}
	switch {
	case !s.options.AllowEnv || s.document.upload || s.chosen(t.variable):
		s.warn(t.position, "!Env %s: reading the environment is switched off; the default is used", name)
	case strings.HasPrefix(strings.ToUpper(name), "WEIR_"):
		// Our own settings hold the secret key and the database password.
		s.warn(t.position, "!Env %s: variables of the program itself are not given to blueprints; the default is used", name)
	default:
		if v := s.config.Getenv(name); v != "" {
			return v, s.spend(t, len(v))
		}
	}
	return orNull(s, t.fallback)
}

// chosen tells whether a name may come from a context that somebody else than
// the author of the file has given: they would choose what is read.
func (s *scope) chosen(name value) bool { return len(s.overrides) > 0 && isTag(name) }

// fileText is "!File path" or "!File [path, default]": the text of a file
// below the configured folder, without blanks at both ends. A missing file
// gives the default, else null.
type fileText struct {
	position
	path, fallback value
}

func (a arguments) file() value {
	path, fallback, ok := a.wordOrPair("a path")
	if !ok {
		return nil
	}
	return &fileText{a.position, path, fallback}
}

func (t *fileText) resolve(s *scope) (any, error) {
	path, err := wantText(s, t.path, "the path of !File")
	if err != nil {
		return nil, err
	}
	if s.config.Files == nil {
		return nil, s.fail(t.position, "!File %s: reading files is switched off, because no folder for them is configured", path)
	}
	if s.chosen(t.path) {
		return nil, s.fail(t.position, "!File %s: with a context from outside the file, the path must stand in the file itself", path)
	}
	if s.document.upload {
		return nil, s.fail(t.position, "!File %s: an uploaded blueprint may not read files of the server", path)
	}
	content, err := readBelow(s.config.Files, path)
	if errors.Is(err, fs.ErrNotExist) {
		s.warn(t.position, "!File %s: there is no such file; the default is used", path)
		return orNull(s, t.fallback)
	}
	if err != nil {
		return nil, s.fail(t.position, "!File %s: %v", path, err)
	}
	content = strings.TrimSpace(content)
	return content, s.spend(t, len(content))
}

// readBelow reads a regular file of at most MaxBytes. os.Root keeps every path
// inside the folder; links are refused wherever they lead (rule 43), so that
// who may write one file cannot make another one readable.
func readBelow(root *os.Root, path string) (string, error) {
	if filepath.IsAbs(path) {
		// The published tag takes absolute paths; allow those into the folder.
		folder, err := filepath.Abs(root.Name())
		if err != nil {
			return "", errors.New("the folder for files cannot be found")
		}
		if path, err = filepath.Rel(folder, path); err != nil || !filepath.IsLocal(path) {
			return "", errors.New("the file is outside of the folder for files")
		}
	}
	for part := filepath.Clean(path); part != "." && part != string(filepath.Separator); part = filepath.Dir(part) {
		if info, err := root.Lstat(part); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return "", errors.New("links are not followed")
		}
	}
	// Looking first keeps a pipe or a device from being opened at all.
	info, err := root.Stat(path)
	if err != nil {
		return "", fileError(err)
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("this is not a regular file")
	}
	f, err := root.Open(path)
	if err != nil {
		return "", fileError(err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return "", fileError(err)
	}
	if len(content) > MaxBytes {
		return "", fmt.Errorf("the file has more than the %d bytes allowed", MaxBytes)
	}
	return string(content), nil
}

// fileError leaves out the server's path, which the system puts into errors.
func fileError(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// parsedJSON is "!ParseJSON 'text'". The text stands in the document itself,
// so it is parsed when the document is loaded.
type parsedJSON struct {
	position
	v     any
	bytes int
}

func (a arguments) parseJSON() value {
	if !a.isText {
		a.fail(a.position, "!ParseJSON takes JSON as text")
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(a.text))
	decoder.UseNumber()
	var v any
	err := decoder.Decode(&v)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is more text behind the value")
		}
	}
	if err == nil {
		v, err = fromJSON(v, maxDepth)
	}
	if err != nil {
		a.fail(a.position, "!ParseJSON: %v", err)
		return nil
	}
	return &parsedJSON{a.position, v, len(a.text)}
}

func (t *parsedJSON) resolve(s *scope) (any, error) { return t.v, s.spend(t, t.bytes) }

// fromJSON gives numbers the types that other resolved values have.
func fromJSON(v any, depth int) (any, error) {
	if depth == 0 {
		return nil, fmt.Errorf("values are nested deeper than %d levels", maxDepth)
	}
	var err error
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		return v.Float64()
	case []any:
		for i := range v {
			if v[i], err = fromJSON(v[i], depth-1); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = fromJSON(v[k], depth-1); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}
