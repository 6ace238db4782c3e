-- +goose Up

-- What a search for people looks into, filled in Go: user name, name and
-- e-mail address as they are compared, a line each.
alter table users add column search_text text collate "C" not null default '';

update users set search_text = username_key || chr(10) || lower(name) || chr(10) || email_key;

-- Without the extension, which some hosts do not offer, searches read all rows.
-- +goose StatementBegin
do $$
declare
  place text;
begin
  begin
    create extension if not exists pg_trgm;
  exception when others then
    raise notice 'pg_trgm is not available: %', sqlerrm;
  end;
  select n.nspname into place from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'pg_trgm';
  if place is not null then
    execute format('create index users_search_idx on users using gin (search_text %I.gin_trgm_ops)', place);
  end if;
end;
$$;
-- +goose StatementEnd

create index users_attributes_idx on users using gin (attributes jsonb_path_ops);
create index users_name_idx on users (name);
create index users_path_idx on users (path);
create index users_date_joined_idx on users (date_joined);

-- Whose event it is, to find them by and to delete them with the person.
alter table events add column user_id bigint;

update events set user_id = (user_json ->> 'pk')::bigint where user_json ->> 'pk' is not null;

create index events_user_id_idx on events (user_id) where user_id is not null;
