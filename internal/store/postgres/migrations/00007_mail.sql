-- +goose Up

-- The outbox; package mail. content is sealed, and gone once a message is sent.
create table mails (
  id           text collate "C" primary key,
  state        text collate "C" not null,
  purpose      text collate "C" not null,
  recipient    text collate "C" not null,
  user_id      bigint references users (id) on delete set null,
  attempts     integer not null,
  last_error   text collate "C" not null,
  content      bytea,
  created      timestamptz not null,
  next_try     timestamptz not null,
  locked_until timestamptz not null,
  sent         timestamptz,
  valid_until  timestamptz not null,
  expires      timestamptz not null
);

create index mails_expires_idx on mails (expires);
create index mails_created_idx on mails (created);
create index mails_user_idx on mails (user_id);
create index mails_content_idx on mails (valid_until) where content is not null;
