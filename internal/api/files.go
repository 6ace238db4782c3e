package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/media"
	"github.com/weir-id/weir/internal/resource"
)

// Files are the pictures of the site; *media.Folder has them.
type Files interface {
	List() ([]string, error)
	Put(name string, data []byte) error
	Remove(name string) error
}

// fileUsage is what files are for.
type fileUsage string

// Choices lists the usages.
func (fileUsage) Choices() []string { return []string{"media"} }

// fileList is a picture of the site.
type fileList struct {
	Name   string           `json:"name" field:"required"`
	Kind   string           `json:"mime_type" field:"required"`
	URL    string           `json:"url" field:"required"`
	Themed *flow.ThemedURLs `json:"themed_urls" field:"null"`
}

// fileUpload is the form of a new picture. Name is that of the file where it is
// empty.
type fileUpload struct {
	File  string `json:"file" field:"required,format=binary"`
	Name  string `json:"name" field:"blank"`
	Usage string `json:"usage" field:"default"`
}

// fileRoutes are the calls about pictures.
func (a *API) fileRoutes() []Route {
	view, manage := onAll(resource.System, resource.ViewMediaFiles), onAll(resource.System, resource.ManageMediaFiles)
	usage := resource.Filter{Name: "usage", Enum: fileUsage("").Choices()}
	return []Route{
		{http.MethodGet, "admin/file/", view, Doc{Call: "list", Summary: "List the pictures of the site", Query: []resource.Filter{{Name: "manageable_only", Type: "boolean"}, {Name: "search"}, usage},
			Answer: listOf(fileList{})}, listFiles},
		{http.MethodPost, "admin/file/", manage, Doc{Call: "create", Summary: "Store a picture", Form: true, Body: valueOf(fileUpload{Usage: "media"}).named("FileUploadRequest")}, storeFile},
		{http.MethodDelete, "admin/file/", manage, Doc{Call: "destroy", Summary: "Delete a picture", Query: []resource.Filter{{Name: "name"}, usage}}, deleteFile},
		{http.MethodGet, "admin/file/used_by/", view, Doc{Call: "list", Summary: "List what names a picture", Query: []resource.Filter{{Name: "name"}}, Answer: listOf(usedBy{})}, listFileUses},
	}
}

// ofUsage refuses files that are for something else than pages.
func ofUsage(usage string) error {
	if usage != "" && !slices.Contains(fileUsage("").Choices(), usage) {
		return field.Errorf("usage", field.CodeInvalidChoice, "Choose media.")
	}
	return nil
}

// listFiles answers with the pictures by name.
func listFiles(c *call) error {
	query := c.r.URL.Query()
	if err := ofUsage(query.Get("usage")); err != nil {
		return err
	}
	names, err := c.api.Files.List()
	if err != nil {
		return err
	}
	out := []fileList{}
	for _, name := range names {
		if strings.Contains(strings.ToLower(name), strings.ToLower(query.Get("search"))) {
			url, _ := flow.BackgroundURL(name)
			out = append(out, fileList{Name: name, Kind: media.Kind(name), URL: url})
		}
	}
	return c.answer(http.StatusOK, out)
}

// storeFile stores a picture. It stays only when the event of it does.
func storeFile(c *call) error {
	if err := c.form(2 * media.MaxBytes); err != nil {
		return err
	}
	defer c.r.MultipartForm.RemoveAll()
	if err := ofUsage(c.r.PostFormValue("usage")); err != nil {
		return err
	}
	sent := c.r.MultipartForm.File["file"]
	if len(sent) == 0 {
		return field.Errorf("file", field.CodeRequired, "Send a file.")
	}
	file, err := sent[0].Open()
	if err != nil {
		return fmt.Errorf("read upload: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, media.MaxBytes+1))
	if err != nil {
		return fmt.Errorf("read upload: %w", err)
	}
	name := strings.TrimSpace(c.r.PostFormValue("name"))
	if name == "" {
		name = path.Base(sent[0].Filename)
	}
	err = c.api.Files.Put(name, data)
	for at, problems := range map[string][]error{"name": {media.ErrName, media.ErrExists}, "file": {media.ErrKind, media.ErrSize, media.ErrActive, media.ErrFull}} {
		for _, problem := range problems {
			if errors.Is(err, problem) {
				return field.Errorf(at, field.CodeInvalid, "%s.", upper(problem.Error()))
			}
		}
	}
	if err != nil {
		return err
	}
	if err := c.noteFile(event.ModelCreated, name); err != nil {
		return errors.Join(err, c.api.Files.Remove(name))
	}
	return nil
}

// deleteFile deletes a picture. What names it then shows none.
func deleteFile(c *call) error {
	query := c.r.URL.Query()
	if err := ofUsage(query.Get("usage")); err != nil {
		return err
	}
	err := c.api.Files.Remove(query.Get("name"))
	if errors.Is(err, media.ErrNone) {
		return resource.ErrGone
	}
	if err != nil {
		return err
	}
	return c.noteFile(event.ModelDeleted, query.Get("name"))
}

func (c *call) noteFile(action event.Action, name string) error {
	return c.write(func(ctx context.Context, w *resource.Write) error { return c.api.Kinds.NoteFile(ctx, w, action, name) })
}

// listFileUses answers with what names a picture, as far as the caller may see it.
func listFileUses(c *call) error {
	v, err := c.view()
	if err != nil {
		return err
	}
	return c.uses(c.api.Kinds.FileUses(v, c.r.URL.Query().Get("name")))
}
