-- Mails to the people whose requests overran. Their addresses come from the requests themselves, so that anybody who can send
-- a request can name one: a row is written, under a lock, before a mail is sent, and caps are counted from these rows.

create table personal_mails (
    delivery_id text primary key,
    action text not null,
    stack text not null,
    subject text not null,
    recipient_digest text not null,
    booked_at timestamptz not null
);

create index personal_mails_subject on personal_mails using hash (subject);
create index personal_mails_recipient on personal_mails (recipient_digest, booked_at);
create index personal_mails_action on personal_mails (action, booked_at);
create index personal_mails_booked_at on personal_mails (booked_at);

comment on table personal_mails is 'Mails to the people whose requests overran: who was written to, as far as caps have to know.';
comment on column personal_mails.delivery_id is 'The delivery, whose attempts tell what the mail server said.';
comment on column personal_mails.action is 'The action that writes.';
comment on column personal_mails.stack is 'The stack of the request.';
comment on column personal_mails.subject is 'The key of the request, which all its attempts share; the incident where the request is not known.';
comment on column personal_mails.recipient_digest is 'Digest of the mailbox, so that no second place holds addresses of people.';
comment on column personal_mails.booked_at is 'When it was decided that the mail may be sent.';
