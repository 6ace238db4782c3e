package expression

import (
	"errors"
	"fmt"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/expression/python"
)

// FieldError puts what is wrong with a body at its field, with line and column.
// It returns nil for nil.
func FieldError(name string, err error) error {
	if err == nil {
		return nil
	}
	var p *python.Error
	if errors.As(err, &p) {
		return field.Errors{name: {{Code: field.CodeInvalid, Message: "expression.invalid", String: p.Error(), Line: p.Line, Column: p.Column}}}
	}
	return fmt.Errorf("compile expression: %w", err)
}
