-- +goose Up

-- Links that invite people into a flow; package invitation.
create table invitations (
  id         text primary key,
  name       text not null,
  flow_id    text,
  single_use boolean not null,
  fixed_data text not null,
  created_by integer references users (id) on delete set null,
  created    timestamp not null,
  expires    timestamp
) without rowid;

create index invitations_expires_idx on invitations (expires);
create index invitations_created_by_idx on invitations (created_by);
