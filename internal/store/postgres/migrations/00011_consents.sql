-- +goose Up

-- What people have let applications know; package consent.
create table consents (
  id             bigint generated always as identity primary key,
  user_id        bigint not null references users (id) on delete cascade,
  application_id text collate "C" not null,
  permissions    text not null,
  created        timestamptz not null,
  expires        timestamptz,
  unique (user_id, application_id)
);

create index consents_expires_idx on consents (expires);
