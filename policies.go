package weir

import "github.com/weir-id/weir/policy"

func (in *Installation) policyTypes() []policy.Type { return nil }
