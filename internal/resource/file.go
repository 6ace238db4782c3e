package resource

import (
	"context"
	"strings"

	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/event"
)

// pictures are the fields that name a picture.
var pictures = map[string][]string{
	catalog.KindFlow: {"background"}, catalog.KindApplication: {"meta_icon"},
	catalog.KindBrand: {"branding_logo", "branding_favicon", "branding_default_flow_background"},
}

// FileUses returns what names a picture of the site, also for one of the two
// themes.
func (r *Registry) FileUses(v View, name string) []Use {
	var out []Use
	if name == "" {
		return out
	}
	for _, kind := range []string{catalog.KindApplication, catalog.KindBrand, catalog.KindFlow} {
		for _, o := range v.Config.Objects(kind) {
			for _, member := range pictures[kind] {
				value, _ := v.Config.Value(o, member)
				text, _ := value.(string)
				if text == name || strings.ReplaceAll(text, "%(theme)s", "light") == name || strings.ReplaceAll(text, "%(theme)s", "dark") == name {
					out = append(out, Use{Model: modelKey(r.role.catalog.Model(o.Kind, o.Type)), Key: o.ID.String(), Name: v.Config.DisplayName(o), Action: "left_dangling"})
					break
				}
			}
		}
	}
	return out
}

// NoteFile records that somebody has stored or deleted a picture of the site.
func (r *Registry) NoteFile(ctx context.Context, w *Write, action event.Action, name string) error {
	return r.role.record(ctx, w, action, &Ref{Model: "authentik_admin_files.file", Key: name, Name: name})
}
