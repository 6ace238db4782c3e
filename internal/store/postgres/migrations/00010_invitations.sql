-- +goose Up

-- Links that invite people into a flow; package invitation.
create table invitations (
  id         text collate "C" primary key,
  name       text not null,
  flow_id    text collate "C",
  single_use boolean not null,
  fixed_data jsonb not null,
  created_by bigint references users (id) on delete set null,
  created    timestamptz not null,
  expires    timestamptz
);

create index invitations_expires_idx on invitations (expires);
create index invitations_created_by_idx on invitations (created_by);
