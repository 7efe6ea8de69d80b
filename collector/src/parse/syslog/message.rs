//! One message: head, structured data, text.

use domain::Value;
use jiff::Timestamp;

use crate::parse::times;

/// The highest priority there is: facility 23, severity 7.
const PRIORITY_MAX: u16 = 191;

/// A message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Facility times 8, plus severity.
    pub priority: u8,
    /// When it was written; `None` where the head does not say the year and the zone.
    pub at: Option<Timestamp>,
    /// The machine.
    pub host: Option<&'a str>,
    /// The program.
    pub app: Option<&'a str>,
    /// Its process, mostly a number.
    pub proc_id: Option<&'a str>,
    /// The kind of message.
    pub msg_id: Option<&'a str>,
    /// Elements of structured data as they were sent, one after the other.
    pub data: &'a str,
    /// The rest, without its byte order mark.
    pub text: &'a str,
}

impl<'a> Message<'a> {
    /// Reads a message; `None` when it has no priority in front and so is only a line.
    ///
    /// # Errors
    /// When it has one and is no message all the same.
    pub fn parse(text: &'a str) -> Result<Option<Self>, String> {
        let Some((priority, rest)) = priority(text)? else { return Ok(None) };
        let read = match rest.strip_prefix("1 ") {
            Some(rest) => Self::rfc5424(priority, rest),
            None => Self::rfc3164(priority, rest),
        };
        read.map(Some).ok_or_else(|| "expected a syslog message of RFC 5424 or RFC 3164 after its priority".to_owned())
    }

    /// Reads what Heroku's HTTP drains send: structured data is left out, with its `-`.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse_logplex(text: &'a str) -> Result<Self, String> {
        let expected = || "expected `<PRIORITY>1 TIME HOST APP PROCESS - TEXT`".to_owned();
        let (priority, rest) = priority(text)?.ok_or_else(expected)?;
        let (head, text) = rest.strip_prefix("1 ").and_then(head).ok_or_else(expected)?;
        let [at, host, app, proc_id, msg_id] = head;
        Ok(Self { priority, at: at.and_then(times::rfc3339), host, app, proc_id, msg_id, data: "", text: without_mark(text) })
    }

    fn rfc5424(priority: u8, rest: &'a str) -> Option<Self> {
        let ([at, host, app, proc_id, msg_id], rest) = head(rest)?;
        let at = match at {
            Some(at) => Some(times::rfc3339(at)?),
            None => None,
        };
        let (data, text) = structured_data(rest);
        Some(Self { priority, at, host, app, proc_id, msg_id, data, text: without_space(without_mark(text)) })
    }

    /// `Oct 11 22:14:15 mymachine su[42]: text`; the host is left out by programs that write to their own machine's socket.
    fn rfc3164(priority: u8, rest: &'a str) -> Option<Self> {
        let (at, rest) = moment(rest)?;
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        let (host, rest) = if word.ends_with(':') { (None, rest) } else { (Some(word), after) };
        let tag_end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'))).unwrap_or(rest.len());
        let (tag, after) = rest.split_at(tag_end);
        let (proc_id, after) = match after.strip_prefix('[').and_then(|after| after.split_once(']')) {
            Some((proc_id, after)) => (Some(proc_id), after),
            None => (None, after),
        };
        let (app, text) = match after.strip_prefix(':').filter(|_| !tag.is_empty()) {
            Some(text) => (Some(tag), text.strip_prefix(' ').unwrap_or(text)),
            None => (None, rest),
        };
        let proc_id = proc_id.filter(|_| app.is_some());
        Some(Self { priority, at, host, app, proc_id, msg_id: None, data: "", text })
    }

    /// Whether Heroku's drains sent it: there the host is the word `host` or the drain's token.
    pub fn is_herokus(&self) -> bool {
        self.host.is_some_and(|host| host == "host" || host.starts_with("d.") && host.len() > 30)
            && matches!(self.app, Some("heroku" | "app"))
    }

    /// Structured data as a map of maps.
    pub fn data_value(&self) -> Value {
        let mut rest = self.data;
        let elements = std::iter::from_fn(|| {
            let (element, after) = rest.strip_prefix('[').and_then(element)?;
            rest = after;
            Some(element)
        });
        let element = |(id, mut parameters): (&str, &str)| {
            let named = std::iter::from_fn(|| {
                let (name, value, after) = parameter(parameters)?;
                parameters = after;
                Some((name.to_owned(), Value::from(unescaped(value))))
            });
            (id.to_owned(), Value::Map(named.collect()))
        };
        Value::Map(elements.map(element).collect())
    }
}

/// `<165>`, and what follows it. `None` when there is none.
fn priority(text: &str) -> Result<Option<(u8, &str)>, String> {
    let Some((digits, rest)) = text.strip_prefix('<').and_then(|rest| rest.split_once('>')) else { return Ok(None) };
    if digits.is_empty() || digits.len() > 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    let number: u16 = digits.parse().map_err(|_| "expected a priority".to_owned())?;
    match u8::try_from(number) {
        Ok(priority) if number <= PRIORITY_MAX => Ok(Some((priority, rest))),
        _ => Err(format!("expected a priority of at most {PRIORITY_MAX}, found {number}")),
    }
}

/// Time, host, program, process and message ID, each `-` for none, and the rest.
fn head(text: &str) -> Option<([Option<&str>; 5], &str)> {
    let mut fields = [None; 5];
    let mut rest = text;
    for field in &mut fields {
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        (!word.is_empty()).then_some(())?;
        *field = Some(word).filter(|word| *word != "-");
        rest = after;
    }
    Some((fields, rest))
}

/// Structured data, and the text after it. Without any, and without the `-` for none, all is text.
fn structured_data(rest: &str) -> (&str, &str) {
    if rest == "-" {
        return ("", "");
    }
    if let Some(text) = rest.strip_prefix("- ") {
        return ("", text);
    }
    let mut after = rest;
    while let Some((_, next)) = after.strip_prefix('[').and_then(element) {
        after = next;
    }
    let data = &rest[..rest.len() - after.len()];
    // A text that begins with a bracket is no structured data.
    match after.strip_prefix(' ') {
        Some(text) if !data.is_empty() => (data, text),
        None if !data.is_empty() && after.is_empty() => (data, ""),
        _ => ("", rest),
    }
}

/// `id name="value" …]`: the name of an element, its parameters, and what follows.
fn element(text: &str) -> Option<((&str, &str), &str)> {
    let id_end = text.find([' ', ']'])?;
    let (id, parameters) = text.split_at(id_end);
    (!id.is_empty() && !id.contains(['=', '"'])).then_some(())?;
    let mut rest = parameters;
    while let Some((_, _, after)) = parameter(rest) {
        rest = after;
    }
    let parameters = &parameters[..parameters.len() - rest.len()];
    // A text may begin with a word in brackets; the names of elements without parameters are not as free.
    let is_element = !parameters.is_empty() || id.contains('@') || matches!(id, "timeQuality" | "origin" | "meta");
    let after = rest.strip_prefix(']').filter(|_| is_element)?;
    Some(((id, parameters), after))
}

/// ` name="value"`: the name, the value as it was sent, and what follows.
fn parameter(text: &str) -> Option<(&str, &str, &str)> {
    let (name, after) = text.strip_prefix(' ')?.split_once("=\"")?;
    let mut bytes = after.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((name, &after[..at], &after[at + 1..])),
            b'\\' => drop(bytes.next()?),
            _ => {}
        }
    }
    None
}

/// `\"`, `\\` and `\]` stand for what follows the backslash.
fn unescaped(sent: &str) -> String {
    let mut value = String::new();
    let mut characters = sent.chars();
    while let Some(character) = characters.next() {
        match (character, characters.as_str().chars().next()) {
            ('\\', Some(escaped @ ('"' | '\\' | ']'))) => {
                value.push(escaped);
                characters.next();
            }
            _ => value.push(character),
        }
    }
    value
}

/// rsyslog's `RSYSLOG_SyslogProtocol23Format` writes the space that stood behind an older message's tag before its text. One
/// that is indented keeps its indentation.
fn without_space(text: &str) -> &str {
    text.strip_prefix(' ').filter(|rest| !rest.starts_with(char::is_whitespace)).unwrap_or(text)
}

fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// `Oct 11 22:14:15 `, or a moment of RFC 3339 as rsyslog writes in its place, and the rest.
fn moment(text: &str) -> Option<(Option<Timestamp>, &str)> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    if let Some((word, rest)) = text.split_once(' ')
        && let Some(at) = times::rfc3339(word)
    {
        return Some((Some(at), rest));
    }
    let (stamp, rest) = (text.get(..15)?, text.get(15..)?);
    let bytes = stamp.as_bytes();
    let digits = |range: std::ops::Range<usize>| bytes[range].iter().all(|b| b.is_ascii_digit() || *b == b' ');
    let fits = MONTHS.contains(&stamp.get(..3)?) && digits(3..6) && bytes[6] == b' ' && bytes[9] == b':' && bytes[12] == b':';
    (fits && digits(7..9) && digits(10..12) && digits(13..15)).then_some((None, rest.strip_prefix(' ')?))
}
