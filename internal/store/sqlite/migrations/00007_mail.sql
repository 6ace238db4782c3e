-- +goose Up

-- The outbox; package mail. content is sealed, and gone once a message is sent.
create table mails (
  id           text primary key,
  state        text not null,
  purpose      text not null,
  recipient    text not null,
  user_id      integer references users (id) on delete set null,
  attempts     integer not null,
  last_error   text not null,
  content      blob,
  created      timestamp not null,
  next_try     timestamp not null,
  locked_until timestamp not null,
  sent         timestamp,
  valid_until  timestamp not null,
  expires      timestamp not null
) without rowid;

create index mails_expires_idx on mails (expires);
create index mails_created_idx on mails (created);
create index mails_user_idx on mails (user_id);
create index mails_content_idx on mails (valid_until) where content is not null;
