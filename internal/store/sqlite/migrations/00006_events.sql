-- +goose Up

-- What lists of events are filtered by, taken from the documents in Go. The name
-- is that of the user, or the one that somebody without an account gave.
alter table events add column username text not null default '';
alter table events add column brand_name text not null default '';
alter table events add column model_app text not null default '';
alter table events add column model_name text not null default '';
alter table events add column model_pk text not null default '';
alter table events add column authorized_app text not null default '';
alter table events add column device text not null default '';

update events set
  username = case when user_id is null then coalesce(json_extract(context, '$.username'), json_extract(user_json, '$.username'), '') else coalesce(json_extract(user_json, '$.username'), '') end,
  brand_name = coalesce(cast(json_extract(brand, '$.name') as text), ''),
  model_app = coalesce(cast(json_extract(context, '$.model.app') as text), ''),
  model_name = coalesce(cast(json_extract(context, '$.model.model_name') as text), ''),
  model_pk = replace(coalesce(cast(json_extract(context, '$.model.pk') as text), ''), '-', ''),
  authorized_app = replace(coalesce(cast(json_extract(context, '$.authorized_application.pk') as text), ''), '-', ''),
  device = replace(coalesce(cast(json_extract(context, '$.device.pk') as text), ''), '-', '');

-- Each list of events is read along one of these, the latest first. The first
-- two also answer how many there were, of what, by how many people.
drop index events_created_idx;
drop index events_action_idx;
drop index events_user_id_idx;

create index events_created_idx on events (created, action, user_id);
create index events_action_idx on events (action, created, user_id);
create index events_user_id_idx on events (user_id, action, created) where user_id is not null;
create index events_client_ip_idx on events (client_ip, created);
create index events_username_idx on events (username, created) where username <> '';
create index events_brand_name_idx on events (brand_name, created) where brand_name <> '';
create index events_model_app_idx on events (model_app, created) where model_app <> '';
create index events_model_name_idx on events (model_name, created) where model_name <> '';
create index events_model_pk_idx on events (model_pk, created) where model_pk <> '';
create index events_authorized_app_idx on events (authorized_app, created) where authorized_app <> '';
create index events_device_idx on events (device, created) where device <> '';
