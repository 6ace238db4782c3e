-- +goose Up

-- What people confirm with that it is them; package authenticator.
create table authenticators (
  id        integer primary key autoincrement,
  uuid      text not null unique,
  user_id   integer not null references users (id) on delete cascade,
  class     text not null,
  name      text not null,
  stage_id  text,
  confirmed boolean not null,
  handle    text,
  counter   bigint not null,
  data      blob not null,
  failures  integer not null,
  failed    timestamp,
  created   timestamp not null,
  updated   timestamp not null,
  last_used timestamp,
  unique (class, handle)
);

create index authenticators_user_id_idx on authenticators (user_id);
