-- +goose Up

-- What a search for people looks into, filled in Go: user name, name and
-- e-mail address as they are compared, a line each.
alter table users add column search_text text not null default '';

update users set search_text = username_key || char(10) || lower(name) || char(10) || email_key;

create virtual table users_search using fts5 (search_text, content = 'users', content_rowid = 'id', tokenize = 'trigram', detail = 'none');

insert into users_search (rowid, search_text) select id, search_text from users;

-- +goose StatementBegin
create trigger users_search_insert after insert on users begin
  insert into users_search (rowid, search_text) values (new.id, new.search_text);
end;
-- +goose StatementEnd

-- +goose StatementBegin
create trigger users_search_delete after delete on users begin
  insert into users_search (users_search, rowid, search_text) values ('delete', old.id, old.search_text);
end;
-- +goose StatementEnd

-- +goose StatementBegin
create trigger users_search_update after update of search_text on users when old.search_text <> new.search_text begin
  insert into users_search (users_search, rowid, search_text) values ('delete', old.id, old.search_text);
  insert into users_search (rowid, search_text) values (new.id, new.search_text);
end;
-- +goose StatementEnd

create index users_name_idx on users (name);
create index users_path_idx on users (path);
create index users_date_joined_idx on users (date_joined);

-- Whose event it is, to find them by and to delete them with the person.
alter table events add column user_id bigint;

update events set user_id = json_extract(user_json, '$.pk') where json_extract(user_json, '$.pk') is not null;

create index events_user_id_idx on events (user_id) where user_id is not null;
