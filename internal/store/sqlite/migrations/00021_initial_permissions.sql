-- +goose Up

-- What a role gets on the objects that its members make.
create table initial_permissions (
  id      integer primary key autoincrement,
  name    text not null unique,
  role_id text not null references roles (id) on delete cascade
);

create index initial_permissions_role_id_idx on initial_permissions (role_id);

create table initial_permission_grants (
  initial_id integer not null references initial_permissions (id) on delete cascade,
  permission text not null,
  primary key (initial_id, permission)
) without rowid;
