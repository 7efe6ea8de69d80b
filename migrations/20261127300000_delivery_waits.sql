-- What is behind another delivery is passed over once and then left out of what is looked at, so that a claim costs what it
-- claims, however much is pending.

alter table deliveries add column waits boolean not null default false;

comment on column deliveries.waits is 'It was seen behind an older pending delivery of its problem or stack, and is not looked at until that one ends.';

drop index deliveries_due_at;
create index deliveries_ready on deliveries (due_at, id) where state = 'pending' and not waits;
create index deliveries_leased on deliveries (leased_until) where state = 'pending' and leased_until is not null;
create index deliveries_waiting on deliveries (created_at, change_id, id) where waits;
create index deliveries_order_of_stack on deliveries (action, stack, created_at, change_id, id) where state = 'pending';
