-- +goose Up

-- Plans that people come back to by a link; package flowtoken.
create table flow_tokens (
  id         text collate "C" primary key,
  identifier text collate "C" not null unique,
  key_hash   text collate "C" not null unique,
  purpose    text not null,
  user_id    bigint not null references users (id) on delete cascade,
  flow_id    text collate "C" not null,
  plan       bytea not null,
  created    timestamptz not null,
  expires    timestamptz not null
);

create index flow_tokens_expires_idx on flow_tokens (expires);
create index flow_tokens_user_id_idx on flow_tokens (user_id);
