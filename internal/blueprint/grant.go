package blueprint

import "github.com/weir-id/weir/internal/resource"

// grant gives the permissions of an entry on its object. Grants are added,
// never taken away.
func (s *scope) grant(e *entry, ref *resource.Ref) error {
	for _, p := range e.permissions {
		codename, err := wantText(s, p.permission, "a permission")
		if err != nil {
			return err
		}
		user, err := s.grantUser(p.user)
		if err != nil {
			return err
		}
		role, err := s.grantRole(p.role)
		if err != nil {
			return err
		}
		if user == nil && role == "" {
			s.warn(p.position, "the permission names neither a user nor a role and has no effect")
			continue
		}
		if s.config.Grants == nil {
			return s.fail(p.position, "permissions on single objects cannot be granted here")
		}
		if err := s.config.Grants.GrantObject(s.ctx, s.w, codename, ref.Model, keyText(ref.Key), user, role); err != nil {
			return s.entryError(e, err)
		}
	}
	return nil
}

func (s *scope) grantUser(v value) (*int64, error) {
	resolved, err := orNull(s, v)
	if err != nil || resolved == nil {
		return nil, err
	}
	id, ok := resolved.(int64)
	if !ok {
		return nil, s.fail(v.at(), "the user of a permission must be the number of a user, not %s", kindOf(resolved))
	}
	return &id, nil
}

func (s *scope) grantRole(v value) (string, error) {
	resolved, err := orNull(s, v)
	if err != nil || resolved == nil {
		return "", err
	}
	id, ok := resolved.(string)
	if !ok {
		return "", s.fail(v.at(), "the role of a permission must be the key of a role, not %s", kindOf(resolved))
	}
	return id, nil
}
