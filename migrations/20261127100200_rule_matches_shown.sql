-- A page says what became of an incident that no delivery tells of: counted with others, or muted.

alter table rule_matches add column rule text;

comment on column rule_matches.rule is 'The rule; null in rows that an earlier version wrote.';

create index rule_matches_incident_id on rule_matches (incident_id);
