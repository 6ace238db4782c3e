-- +goose Up

-- Wrong guesses of secrets; package guard.
create table guesses (
  id            text primary key,
  kind          text not null,
  subject       text not null,
  failures      integer not null,
  last_failure  timestamp not null,
  blocked_until timestamp not null,
  expires       timestamp not null
) without rowid;

create index guesses_expires_idx on guesses (expires);
