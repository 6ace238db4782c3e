-- +goose Up

-- The hashes of earlier passwords, while a policy asks for them; package directory.
create table password_history (
  id      bigint generated always as identity primary key,
  user_id bigint not null references users (id) on delete cascade,
  hash    text not null,
  created timestamptz not null
);

create index password_history_user_idx on password_history (user_id, id);
