package blueprint

import (
	"context"
	"errors"
)

// Data reads an object of plain values in YAML or JSON, by the rules of
// blueprints but without their tags; dates stay the text that they are. Text
// without any value is an empty object. What is wrong is an Errors.
func Data(ctx context.Context, text string) (map[string]any, error) {
	r := &reader{plain: true}
	root := r.parse([]byte(text))
	if root == nil {
		return map[string]any{}, r.errs.Err()
	}
	read := r.value(root, 0)
	object, ok := read.(*mapping)
	if !ok && read != nil {
		r.fail(read.at(), "this has to be an object, such as name: Ada, but it is %s", describe(read))
	}
	if err := r.errs.Err(); err != nil {
		return nil, err
	}
	resolved, err := object.resolve(&scope{run: &run{}, ctx: ctx, document: &Document{}})
	if err != nil {
		return nil, err
	}
	data, ok := resolved.(map[string]any)
	if !ok {
		return nil, errors.New("an object resolves to something else")
	}
	return data, nil
}
