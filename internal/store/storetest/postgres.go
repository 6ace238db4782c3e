package storetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/weir-id/weir/internal/store/postgres"
)

// admin returns the URL of a database from which others can be made. It is
// found once per process, because the process then counts as a user of the
// throwaway server until it ends.
var admin = sync.OnceValues(func() (string, error) {
	if u := os.Getenv("WEIR_TEST_POSTGRES_URL"); u != "" {
		return u, nil
	}
	return startCluster()
})

// template returns the name of the database that new ones are copied from.
var template = sync.OnceValues(func() (string, error) { return makeTemplate(context.Background()) })

// Postgres makes an empty database with the current schema, for this test alone,
// and returns its URL. It is dropped when the test ends, whoever is connected.
func Postgres(t testing.TB) string {
	t.Helper()
	return PostgresFor(t, t.Cleanup)
}

// PostgresFor is Postgres for a database that several tests share: cleanup
// takes what is to be done at the end.
func PostgresFor(t testing.TB, cleanup func(func())) string {
	t.Helper()
	ctx := context.Background()
	base, err := admin()
	if err != nil {
		missing(t, err)
	}
	source, err := template()
	if err != nil {
		t.Fatal(err)
	}
	name := "weir_test_" + strings.ToLower(rand.Text())
	if err := command(ctx, base, "create database "+name+" template "+source); err != nil {
		t.Fatal(err)
	}
	cleanup(func() {
		if err := command(ctx, base, "drop database "+name+" with (force)"); err != nil {
			t.Error(err)
		}
	})
	u, err := sibling(base, name)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// missing ends a test for which there is no server.
func missing(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, errNoPostgres) && os.Getenv("CI") != "true" && os.Getenv("WEIR_TEST_REQUIRE_POSTGRES") != "1" {
		t.Skip(err)
	}
	t.Fatal(err)
}

// makeTemplate makes the template unless another process has. Its name follows
// the migrations, so that working copies with different ones can share a server.
func makeTemplate(ctx context.Context) (string, error) {
	base, err := admin()
	if err != nil {
		return "", err
	}
	sum, err := digest(postgres.Migrations())
	if err != nil {
		return "", err
	}
	name := "weir_template_" + sum
	conn, err := pgx.Connect(ctx, base)
	if err != nil {
		return "", fmt.Errorf("connect to test server: %w", err)
	}
	defer conn.Close(ctx) // which also frees the lock
	if _, err := conn.Exec(ctx, "select pg_advisory_lock(hashtext($1))", name); err != nil {
		return "", err
	}
	var exists bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", name).Scan(&exists); err != nil || exists {
		return name, err
	}
	// It gets its name once it is whole: a process that dies on the way leaves
	// a draft, which the next one throws away.
	draft := name + "_draft"
	for _, sql := range []string{"drop database if exists " + draft + " with (force)", "create database " + draft} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return "", fmt.Errorf("make template: %w", err)
		}
	}
	u, err := sibling(base, draft)
	if err != nil {
		return "", err
	}
	db, err := postgres.Open(ctx, u, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", fmt.Errorf("make template: %w", err)
	}
	if err := db.Close(); err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, "alter database "+draft+" rename to "+name)
	return name, err
}

func digest(fsys fs.FS) (string, error) {
	h := sha256.New()
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := fsys.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		fmt.Fprintf(h, "%s\n", path)
		_, err = io.Copy(h, f)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)[:6]), err
}

func command(ctx context.Context, base, sql string) error {
	conn, err := pgx.Connect(ctx, base)
	if err != nil {
		return fmt.Errorf("connect to test server: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

// sibling is the URL of another database of the same server.
func sibling(base, name string) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("WEIR_TEST_POSTGRES_URL is not a URL")
	}
	u.Path = "/" + name
	return u.String(), nil
}
