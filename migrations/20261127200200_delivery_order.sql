-- Deliveries of one problem to one action go one after the other, oldest first.

alter table deliveries
    add column problem text generated always as (incident ->> 'problem') stored,
    add column stack text generated always as (incident ->> 'stack') stored,
    add column forgiven integer not null default 0;

create index deliveries_order on deliveries (action, problem, created_at, change_id, id) where state = 'pending';
create index deliveries_parked on deliveries (created_at desc) where state = 'parked';

comment on column deliveries.problem is 'The problem of the incident.';
comment on column deliveries.stack is 'The stack of the incident.';
comment on column deliveries.forgiven is 'Attempts that no longer count, since somebody had it sent again after it was given up.';
