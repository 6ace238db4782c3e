package api

import (
	"context"
	"net/http"

	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/certificate"
	"github.com/weir-id/weir/internal/resource"
)

// download asks for a file instead of JSON.
var download = resource.Filter{Name: "download", Type: "boolean"}

// certificateRoutes are the calls about certificates that not every kind has.
func (a *API) certificateRoutes() []Route {
	k := a.Kinds.Model(resource.CertificateModel)
	all := k.Path + "/"
	one := all + "{" + k.Param + "}/"
	view := Doc{Call: "retrieve", Query: []resource.Filter{download}, Answer: valueOf(certificateData{})}
	return []Route{
		{http.MethodPost, all + "generate/", onAll(k, access.Add), Doc{Call: "create", Summary: "Make a new pair that signs itself",
			Body: valueOf(certificate.NewRequest()).named("CertificateGeneration"), Answer: objectOf(k)}, generatePair},
		{http.MethodGet, one + "view_certificate/", onOne(k, resource.ViewCertificate), view, viewPart(resource.ViewCertificate, "certificate")},
		{http.MethodGet, one + "view_private_key/", onOne(k, resource.ViewPrivateKey), view, viewPart(resource.ViewPrivateKey, "private_key")},
	}
}

type certificateData struct {
	Data string `json:"data" field:"readonly"`
}

// viewPart shows one part of a pair, which is recorded.
func viewPart(which access.Verb, name string) func(c *call) error {
	return func(c *call) error {
		file, err := c.flag(download)
		if err != nil {
			return err
		}
		var text string
		err = c.write(func(ctx context.Context, w *resource.Write) (err error) {
			text, err = c.api.Kinds.CertificateText(ctx, w, c.ref, which)
			return err
		})
		if err != nil {
			return err
		}
		if !file {
			return c.answer(http.StatusOK, certificateData{text})
		}
		head := c.w.Header()
		head.Set("Content-Type", "application/x-pem-file")
		// The key of the object names the file: its name may hold anything.
		head.Set("Content-Disposition", `attachment; filename="`+c.ref.ID()+"_"+name+`.pem"`)
		_, _ = c.w.Write([]byte(text)) // the client is gone if this fails
		return nil
	}
}

// generatePair makes a pair and stores it under its common name.
func generatePair(c *call) error {
	body := certificate.NewRequest()
	if err := c.decode(&body); err != nil {
		return err
	}
	public, key, err := certificate.Generate(&body, c.api.Now())
	if err != nil {
		return err
	}
	return c.create(http.StatusOK, map[string]any{"name": body.CommonName, "certificate_data": public, "key_data": key})
}
