-- +goose Up

-- What people have let applications know; package consent.
create table consents (
  id             integer primary key autoincrement,
  user_id        integer not null references users (id) on delete cascade,
  application_id text not null,
  permissions    text not null,
  created        timestamp not null,
  expires        timestamp,
  unique (user_id, application_id)
);

create index consents_expires_idx on consents (expires);
