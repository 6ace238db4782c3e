-- +goose Up

-- What a role gets on the objects that its members make.
create table initial_permissions (
  id      bigint generated always as identity primary key,
  name    text collate "C" not null unique,
  role_id text collate "C" not null references roles (id) on delete cascade
);

create index initial_permissions_role_id_idx on initial_permissions (role_id);

create table initial_permission_grants (
  initial_id bigint not null references initial_permissions (id) on delete cascade,
  permission text collate "C" not null,
  primary key (initial_id, permission)
);
