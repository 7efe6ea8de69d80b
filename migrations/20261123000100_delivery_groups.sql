-- A rule can ask for one message per group and time: which group a delivery belongs to.

alter table deliveries add column group_key text;

create index deliveries_group_key on deliveries (group_key, created_at) where group_key is not null and state <> 'parked';

comment on column deliveries.group_key is 'Digest of rule, action and what the incidents of the group have in common; null when the rule does not group.';
