package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// JSON writes the document as JSON.
func (d *Document) JSON() ([]byte, error) {
	out, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("write API description: %w", err)
	}
	return out, nil
}

// YAML writes the document as YAML, with its members in the same order.
func (d *Document) YAML() ([]byte, error) {
	text, err := d.JSON()
	if err != nil {
		return nil, err
	}
	// JSON is YAML in another style.
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, fmt.Errorf("read API description: %w", err)
	}
	plainStyle(&root)
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(&root); err != nil {
		return nil, fmt.Errorf("write API description: %w", err)
	}
	return b.Bytes(), encoder.Close()
}

// plainStyle lets the encoder choose how values are written. Empty lists and
// objects stay as they are, since there is no other way to write them.
func plainStyle(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode || len(n.Content) > 0 {
		n.Style = 0
	}
	for _, child := range n.Content {
		plainStyle(child)
	}
}
