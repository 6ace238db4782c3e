package web

import (
	"net/http"

	"github.com/weir-id/weir/internal/api/openapi"
)

// Reference writes the page about the API.
func (s *Site) Reference(w http.ResponseWriter, r *http.Request, d *openapi.Document) {
	s.show(w, r, http.StatusOK, "reference", &Page{Reference: d, Wide: true})
}
