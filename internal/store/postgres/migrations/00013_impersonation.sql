-- +goose Up

-- Whom the user of a session acts as; null for nobody.
alter table sessions add column acts_as bigint references users (id) on delete cascade;

create index sessions_acts_as_idx on sessions (acts_as);
