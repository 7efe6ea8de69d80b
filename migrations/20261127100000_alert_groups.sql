-- A group of incidents is told of at once and then now and then; rules may count, and ask whether a problem is new or back.

alter table incident_changes add column problem_event text;

comment on column incident_changes.problem_event is 'What this change meant for the problem: new, regressed, resolved or reopened; null if nothing.';

alter table problems add column struck_at timestamptz;

comment on column problems.struck_at is 'When we first knew of an incident that was confirmed or lost; null while there is none.';

update problems
set struck_at = first_at
where exists (select from incidents where problem = problems.id and state in ('confirmed', 'lost'));

alter table deliveries add column context json;

comment on column deliveries.context is 'What is told beside the incident: severity, what became of the problem, how many more there were; null means nothing.';

create table alert_groups (
    key text primary key,
    rule text not null,
    action text not null,
    told_at timestamptz,
    told_by text,
    more bigint not null,
    since timestamptz,
    due_at timestamptz,
    latest_change bigint not null,
    changed_at timestamptz not null
);

create index alert_groups_due_at on alert_groups (due_at) where due_at is not null;
create index alert_groups_changed_at on alert_groups (changed_at);

comment on table alert_groups is 'What has been told of the incidents that a rule puts together, and what is still to be told: one row, however many incidents.';
comment on column alert_groups.key is 'Digest of rule, action and what the incidents have in common.';
comment on column alert_groups.rule is 'The rule.';
comment on column alert_groups.action is 'The action.';
comment on column alert_groups.told_at is 'When the latest message was decided on; null if none was.';
comment on column alert_groups.told_by is 'The delivery of that message. If it was parked, it told nobody.';
comment on column alert_groups.more is 'Incidents since that message.';
comment on column alert_groups.since is 'Since when they are counted.';
comment on column alert_groups.due_at is 'When a message about them is due; null if it waits for another incident.';
comment on column alert_groups.latest_change is 'The latest of them, as a change of an incident.';
comment on column alert_groups.changed_at is 'When this row was last written.';

create table rule_matches (
    id text primary key,
    group_key text,
    incident_id text not null,
    at timestamptz not null,
    muted_by text,
    matched_at timestamptz not null
);

create index rule_matches_group_key on rule_matches (group_key, at) where group_key is not null and muted_by is null;
create index rule_matches_matched_at on rule_matches (matched_at);

comment on table rule_matches is 'What rules that group or count have matched, so that nothing counts twice, and what was muted, so that it is not told late.';
comment on column rule_matches.id is 'Digest of rule, incident and how much its state says.';
comment on column rule_matches.group_key is 'Digest of rule and what the incidents of the group have in common; null when the rule does not group.';
comment on column rule_matches.incident_id is 'The incident.';
comment on column rule_matches.at is 'When it happened.';
comment on column rule_matches.muted_by is 'What kept it from being told; null if nothing did.';
comment on column rule_matches.matched_at is 'When the rule matched.';
