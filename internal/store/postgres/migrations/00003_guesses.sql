-- +goose Up

-- Wrong guesses of secrets; package guard.
create table guesses (
  id            text collate "C" primary key,
  kind          text collate "C" not null,
  subject       text collate "C" not null,
  failures      integer not null,
  last_failure  timestamptz not null,
  blocked_until timestamptz not null,
  expires       timestamptz not null
);

create index guesses_expires_idx on guesses (expires);
