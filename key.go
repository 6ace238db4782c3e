package weir

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// keyDraft is what the names of unfinished keys begin with.
const keyDraft = keyFile + ".draft-"

// keyFile is where an installation on SQLite keeps its secret key, beside the
// database that it protects from those who get a copy of that alone.
const keyFile = "secret.key"

// secretKey returns the key that seals the store. PostgreSQL is shared by
// several nodes and so needs one that they all are given.
func secretKey(s *Settings) ([]byte, error) {
	if s.SecretKey != "" {
		return []byte(s.SecretKey.Reveal()), nil
	}
	if s.DatabaseURL != "" {
		return nil, errors.New("set WEIR_SECRET_KEY or WEIR_SECRET_KEY_FILE: with PostgreSQL there is no default key")
	}
	path := filepath.Join(s.Data, keyFile)
	key, err := readKey(path)
	if err == nil {
		return key, removeDrafts(s.Data)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	if _, err := os.Stat(filepath.Join(s.Data, "weir.db")); err == nil {
		// Another program may have made both since the first look.
		if key, err := readKey(path); err == nil {
			return key, nil
		}
		return nil, fmt.Errorf("%s is missing, and %s cannot be opened without it", path, "weir.db")
	}
	return makeKey(s.Data, path)
}

// makeKey writes a new key under another name and links it into place, so that
// programs that start together agree on one and none reads half a key.
func makeKey(folder, path string) ([]byte, error) {
	var b [32]byte
	rand.Read(b[:])                               // crashes rather than fails
	f, err := os.CreateTemp(folder, keyDraft+"*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("make secret key: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(b[:]) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("make secret key: %w", err)
	}
	// Where another program was faster there is its key, and our draft may have
	// been removed.
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("make secret key: %w", err)
	}
	return readKey(path)
}

// removeDrafts removes what programs left that were killed while they made the
// key: one of the files may hold it. The key is there, so that nobody needs them.
func removeDrafts(folder string) error {
	drafts, err := fs.Glob(os.DirFS(folder), keyDraft+"*")
	for _, name := range drafts {
		if e := os.Remove(filepath.Join(folder, name)); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return fmt.Errorf("remove drafts of the secret key: %w", err)
	}
	return nil
}

func readKey(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read secret key: %w", err)
	}
	return []byte(strings.TrimSpace(string(data))), nil
}
