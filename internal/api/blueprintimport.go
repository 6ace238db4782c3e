package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/history"
	"github.com/weir-id/weir/internal/resource"
)

// blueprintUpload is the form of an import: a file, or the path of one that the
// server has. Context is a JSON object as text.
type blueprintUpload struct {
	File    string `json:"file" field:"format=binary"`
	Path    string `json:"path"`
	Context string `json:"context" field:"blank"`
	// DryRun tells what would happen and keeps nothing.
	DryRun bool `json:"dry_run"`
}

// importResult tells what came of an import.
type importResult struct {
	Logs    []logEvent `json:"logs" field:"readonly"`
	Success bool       `json:"success" field:"readonly"`
	// Changes are what a dry run would change, as far as the caller may view it.
	Changes []history.Difference `json:"changes" field:"readonly"`
}

// importBlueprint applies a blueprint once, for the caller. Problems of the
// blueprint are lines of the log, all of them at once; nothing has changed then.
func importBlueprint(c *call) error {
	file, context, err := c.upload()
	if err != nil {
		return err
	}
	dryRun, problem := dryRunParam.Decode(c.r.PostForm[dryRunParam.Name])
	if problem != nil {
		return field.Errors{dryRunParam.Name: {*problem}}
	}
	by, err := c.author()
	if err != nil {
		return err
	}
	// A file that cannot be read is refused below, with all of its problems.
	var problems blueprint.Errors
	d, err := blueprint.Load(file)
	if err != nil && !errors.As(err, &problems) {
		return err
	}
	if err == nil {
		missing, err := c.missingPermissions(d)
		if err != nil {
			return err
		}
		if missing != nil {
			return c.answer(http.StatusForbidden, missing)
		}
	}
	by.Source = "import " + file.Name
	report, err := c.api.Blueprints.Apply(c.ctx, []blueprint.File{file}, blueprint.Options{DryRun: dryRun == true, AllowEnv: !file.Upload, Context: context, By: by})
	if err != nil && !errors.As(err, &problems) {
		return err
	}
	logs := c.logProblems(report, problems)
	found, failed := c.logFindings(report)
	if failed != nil {
		return failed
	}
	changes, failed := c.visible(report.Differences)
	if failed != nil {
		return failed
	}
	return c.answer(http.StatusOK, importResult{Logs: append(logs, found...), Success: err == nil, Changes: changes})
}

var dryRunParam = resource.Filter{Name: "dry_run", Type: "boolean"}

// logFindings writes what static analysis finds as lines of a log, for callers
// who may see flows: a stage or policy may belong to flows of others.
func (c *call) logFindings(report *blueprint.Report) ([]logEvent, error) {
	if report == nil || len(report.Findings) == 0 {
		return nil, nil
	}
	ok, err := c.api.Access.Can(c.ctx, c.visit.User, access.View, catalog.KindFlow, "")
	if err != nil || !ok {
		return nil, err
	}
	var out []logEvent
	for _, f := range report.Findings {
		more := map[string]any{"code": f.Code, "severity": f.Severity, "flow": f.Flow}
		if f.Order != nil {
			more["order"], more["stage"] = *f.Order, f.Stage
		}
		out = append(out, logEvent{Timestamp: c.api.Now().UTC(), Level: logWarning, Logger: "weir.prove", Event: f.String(), Attributes: more})
	}
	return out, nil
}

// uploadMemory is how much of a form is kept in memory.
const uploadMemory = 2 * blueprint.MaxBytes

// form reads the body as a form with files, of which it keeps so much in memory.
func (c *call) form(memory int64) error {
	err := c.r.ParseMultipartForm(memory)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, http.ErrNotMultipart), errors.Is(err, http.ErrMissingBoundary):
		return errForm
	case err != nil && !errors.As(err, &tooLarge):
		return field.Errorf(field.NonField, field.CodeInvalid, "Send a whole form; this one cannot be read.")
	}
	return err
}

// upload reads the form. The file wins over the path.
func (c *call) upload() (file blueprint.File, context map[string]any, err error) {
	if err := c.form(uploadMemory); err != nil {
		return file, nil, err
	}
	defer c.r.MultipartForm.RemoveAll()
	if context, err = uploadContext(c.r.PostFormValue("context")); err != nil {
		return file, nil, err
	}
	if sent := c.r.MultipartForm.File["file"]; len(sent) > 0 {
		f, err := sent[0].Open()
		if err != nil {
			return file, nil, fmt.Errorf("read upload: %w", err)
		}
		defer f.Close()
		file = blueprint.File{Name: sent[0].Filename, Upload: true}
		file.Data, err = io.ReadAll(io.LimitReader(f, blueprint.MaxBytes+1))
		return file, context, err
	}
	path := strings.TrimSpace(c.r.PostFormValue("path"))
	if path == "" {
		return file, nil, field.Errorf(field.NonField, field.CodeRequired, "Send a file, or the path of an available one.")
	}
	file, ok, err := c.api.Blueprints.Open(path)
	if err == nil && !ok {
		err = field.Errorf("path", field.CodeDoesNotExist, "Name one of the available files; %q is none.", path)
	}
	return file, context, err
}

// uploadContext reads the context, with the types that stored ones have.
func uploadContext(sent string) (map[string]any, error) {
	if strings.TrimSpace(sent) == "" {
		return nil, nil
	}
	decoder := json.NewDecoder(strings.NewReader(sent))
	decoder.UseNumber()
	var v any
	err := decoder.Decode(&v)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errTrailing
		}
	}
	if err != nil {
		return nil, field.Errorf("context", field.CodeInvalid, "Send a JSON object as text; this is not JSON.")
	}
	var out struct {
		Context map[string]any `json:"context"`
	}
	if _, errs := field.Decode(&out, map[string]any{"context": v}, field.Create); errs != nil {
		return nil, errs
	}
	return out.Context, nil
}

// missingPermissions says, by the ids of the entries, what the caller may not
// do with their models, whatever the conditions of the entries; nil when
// nothing is missing. Models that are not known are problems of the file.
func (c *call) missingPermissions(d *blueprint.Document) (map[string]string, error) {
	var missing map[string]string
	asked := map[string]string{}
	for _, entry := range d.Models() {
		kind, err := c.api.Kinds.Kind(entry.Model)
		if err != nil {
			continue
		}
		text, known := asked[kind.Model]
		if !known {
			for _, verb := range []access.Verb{access.Add, access.Change, access.Delete} {
				ok, err := c.api.Access.Can(c.ctx, c.visit.User, verb, kind.Name(), "")
				if err != nil {
					return nil, err
				}
				if !ok {
					text = "You need the permission " + kind.App() + "." + access.Permission(verb, kind.Name()) + "."
					break
				}
			}
			asked[kind.Model] = text
		}
		if text == "" {
			continue
		}
		if missing == nil {
			missing = map[string]string{"detail": textDenied}
		}
		name := entry.ID
		if name == "" {
			name = fmt.Sprintf("entry %d", entry.Entry)
		}
		missing[name] = text
	}
	return missing, nil
}

// logProblems writes the problems, or what was done, and the warnings as lines
// of a log.
func (c *call) logProblems(report *blueprint.Report, problems blueprint.Errors) []logEvent {
	out := []logEvent{}
	add := func(level LogLevel, text string, at blueprint.Place, more map[string]any) {
		more["file"], more["line"], more["column"], more["entry"] = at.File, at.Line, at.Column, at.Entry
		if at.ID != "" {
			more["id"] = at.ID
		}
		if at.Model != "" {
			more["model"] = at.Model
		}
		out = append(out, logEvent{Timestamp: c.api.Now().UTC(), Level: level, Logger: "weir.blueprint", Event: text, Attributes: more})
	}
	for _, p := range problems {
		more := map[string]any{}
		if p.Field != "" {
			more["field"] = p.Field
		}
		if p.Code != "" {
			more["code"] = p.Code
		}
		add(logError, p.Sentence(), p.Place, more)
	}
	if report == nil {
		return out
	}
	for _, w := range report.Warnings {
		add(logWarning, w.Message, w.Place, map[string]any{})
	}
	for _, change := range report.Changes {
		add(logInfo, change.String(), change.Place, map[string]any{})
	}
	return out
}
