-- +goose Up

-- Plans that people come back to by a link; package flowtoken.
create table flow_tokens (
  id         text primary key,
  identifier text not null unique,
  key_hash   text not null unique,
  purpose    text not null,
  user_id    integer not null references users (id) on delete cascade,
  flow_id    text not null,
  plan       blob not null,
  created    timestamp not null,
  expires    timestamp not null
) without rowid;

create index flow_tokens_expires_idx on flow_tokens (expires);
create index flow_tokens_user_id_idx on flow_tokens (user_id);
