//! A mail address that somebody else wrote, held against a list of domains.
//!
//! Narrower than RFC 5322 on purpose: one bare address of plain characters, of which no mail server makes anything else. No
//! name, no comment, no quotes, no list, no domain in letters that look like others (those are written `xn--…`), and in
//! front of the `@` no `%`, `!` or `/`, by which old relays are told to pass a mail on.

use lettre::Address;

/// Longest address and longest part in front of the `@`, in bytes (RFC 5321, section 4.5.3.1).
const ADDRESS_BYTES_MAX: usize = 254;
const LOCAL_BYTES_MAX: usize = 64;

/// Longest domain and longest label of one, in bytes (RFC 1035, section 2.3.4).
const DOMAIN_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// Signs that stand in addresses of people.
const LOCAL_SIGNS: &[u8] = b"'+-._=~#&";

/// Why nobody is written to. None of them repeats what was found: it is not known to be an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is no address, or one of the odd kind.
    NotAnAddress,
    /// Its domain is not on the list.
    DomainNotAllowed,
}

/// The domain of an address or of the list, in small letters; `None` if it is none.
pub(super) fn domain(text: &str) -> Option<String> {
    let is_label = |label: &str| {
        let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        plain && !label.is_empty() && label.len() <= LABEL_BYTES_MAX && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_domain = text.len() <= DOMAIN_BYTES_MAX && text.contains('.') && text.split('.').all(is_label);
    is_domain.then(|| text.to_ascii_lowercase())
}

/// Reads an address whose domain is one of `domains`, letter for letter: a domain below one of them is another.
pub(super) fn read(text: &str, domains: &[String]) -> Result<Address, Refused> {
    // Forms hand on a blank at either end; everything else that is no part of an address makes it none.
    let text = text.trim_matches(' ');
    let (local, at) = text.rsplit_once('@').filter(|_| text.len() <= ADDRESS_BYTES_MAX).ok_or(Refused::NotAnAddress)?;
    let domain = domain(at).ok_or(Refused::NotAnAddress)?;
    let is_plain = local.bytes().all(|b| b.is_ascii_alphanumeric() || LOCAL_SIGNS.contains(&b));
    let has_dots_inside = local.split('.').all(|word| !word.is_empty());
    if !is_plain || !has_dots_inside || local.len() > LOCAL_BYTES_MAX {
        return Err(Refused::NotAnAddress);
    }
    if !domains.contains(&domain) {
        return Err(Refused::DomainNotAllowed);
    }
    Address::new(local, &domain).map_err(|_| Refused::NotAnAddress)
}

/// A digest of the mailbox that mails to an address arrive in, as far as the address tells: letters are large or small, and
/// what follows a `+` is the person's own note.
pub(super) fn digest(address: &Address) -> String {
    let local = address.user().to_ascii_lowercase();
    let mailbox = local.split_once('+').map_or(local.as_str(), |(mailbox, _)| mailbox);
    blake3::hash(format!("{mailbox}@{}", address.domain()).as_bytes()).to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of_list(text: &str) -> Result<String, Refused> {
        read(text, &["example.org".to_owned(), "xn--bcher-kva.example".to_owned()]).map(|address| address.to_string())
    }

    #[test]
    fn addresses_of_people_are_read() {
        for text in ["ada@example.org", "ada.l+shop@example.org", "o'neill_7-x@example.org", "ada@xn--bcher-kva.example"] {
            assert_eq!(of_list(text).as_deref(), Ok(text));
        }
        assert_eq!(of_list(" Ada@EXAMPLE.org ").as_deref(), Ok("Ada@example.org"));
    }

    #[test]
    fn a_domain_is_allowed_letter_for_letter() {
        for text in ["ada@mail.example.org", "ada@example.org.evil.example", "ada@evilexample.org", "ada@example.com"] {
            assert_eq!(of_list(text), Err(Refused::DomainNotAllowed), "{text}");
        }
    }

    #[test]
    fn nothing_but_one_bare_address_is_one() {
        let long = format!("{}@example.org", "a".repeat(65));
        let huge = format!("{}@example.org", "a".repeat(1_000_000));
        for text in [
            "",
            "@",
            "ada",
            "@example.org",
            "ada@",
            "ada@example",
            "ada@localhost",
            "ada@[127.0.0.1]",
            "ada@example.org.",
            "ada@.example.org",
            "ada@-example.org",
            "ada@example.org\r\nBcc: eve@evil.example",
            "ada@evil.example\r\n@example.org",
            "ada\n@example.org",
            "ada@example.org\n",
            "ada@example.org,eve@evil.example",
            "eve@evil.example,ada@example.org",
            "eve@evil.example ada@example.org",
            "Ada <ada@example.org>",
            "<ada@example.org>",
            "ada(eve@evil.example)@example.org",
            "\"ada@evil.example\"@example.org",
            "ada%evil.example@example.org",
            "evil.example!ada@example.org",
            "@evil.example:ada@example.org",
            "/dev/null@example.org",
            "|sh@example.org",
            ".ada@example.org",
            "a..da@example.org",
            "ädä@example.org",
            "ada@bücher.example",
            "ada@ex\u{430}mple.org",
            "ada@example.org\u{202e}",
            "ada@example\u{3002}org",
            "ada\0@example.org",
            "mailto:ada@example.org",
            &long,
            &huge,
        ] {
            assert_eq!(of_list(text), Err(Refused::NotAnAddress), "{}", text.chars().take(80).collect::<String>());
        }
    }

    #[test]
    fn one_mailbox_is_one_person() {
        let of = |text: &str| digest(&text.parse().expect("an address"));
        assert_eq!(of("ada@example.org"), of("Ada+shop@example.org"));
        assert_ne!(of("ada@example.org"), of("bob@example.org"));
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_one_plain_address(text in ".{0,40}@(example|evil)\\.(org|com)", junk in ".{0,10}") {
            if let Ok(address) = of_list(&format!("{text}{junk}")) {
                prop_assert_eq!(address.matches('@').count(), 1);
                prop_assert!(address.ends_with("@example.org"));
                prop_assert!(address.bytes().all(|b| b.is_ascii_graphic() && !b"<>()[]\",;:\\%!/|".contains(&b)), "{}", address);
            }
        }
    }
}
