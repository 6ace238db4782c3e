-- +goose Up

-- What people confirm with that it is them; package authenticator.
create table authenticators (
  id        bigint generated always as identity primary key,
  uuid      text collate "C" not null unique,
  user_id   bigint not null references users (id) on delete cascade,
  class     text collate "C" not null,
  name      text not null,
  stage_id  text collate "C",
  confirmed boolean not null,
  handle    text collate "C",
  counter   bigint not null,
  data      bytea not null,
  failures  integer not null,
  failed    timestamptz,
  created   timestamptz not null,
  updated   timestamptz not null,
  last_used timestamptz,
  unique (class, handle)
);

create index authenticators_user_id_idx on authenticators (user_id);
