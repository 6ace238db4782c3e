-- +goose Up

-- Whose flow a step belongs to, for those who may inspect it. session_key is set
-- where whoever took the step may do that; empty for everybody else.
alter table execution_steps add column session_key text not null default '';
alter table execution_steps add column flow_id text not null default '';
alter table execution_steps add column user_id bigint;

create index execution_steps_session_idx on execution_steps (session_key, flow_id) where session_key <> '';
