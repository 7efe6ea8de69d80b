//! Walking a request: it holds resources, these hold scopes, these hold spans or log records. The shape and the field
//! numbers are the same for traces and logs.

use std::ops::Range;

use super::resource::Resource;
use super::value::{attributes, text};
use super::wire::{Fields, Wire, field};

/// The field that holds the messages of the level below, in a request.
const RESOURCES: u32 = 1;
/// The same in a resource's and in a scope's message.
const BELOW: u32 = 2;
/// The field that holds the resource or the scope itself.
const ITSELF: u32 = 1;

/// How far a walk has come: places in the bytes, so that it can go on after they were lent to somebody else.
#[derive(Clone, Debug)]
pub struct Walk {
    /// What is left of each level.
    request: Range<usize>,
    resource: Range<usize>,
    scope: Range<usize>,
    within: Within,
}

/// Which resource and scope a span or log record is of: where their messages are, empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Within {
    resource: Range<usize>,
    scope: Range<usize>,
}

impl Walk {
    /// At the beginning of a request.
    pub fn new(bytes: &[u8]) -> Self {
        Self { request: 0..bytes.len(), resource: 0..0, scope: 0..0, within: Within::default() }
    }

    /// The next span or log record, and what it is of.
    #[inline]
    pub fn next<'a>(&mut self, bytes: &'a [u8]) -> Option<(&'a [u8], &Within)> {
        loop {
            if let Some(leaf) = take(bytes, &mut self.scope, BELOW) {
                return Some((&bytes[leaf], &self.within));
            }
            if let Some(scope) = take(bytes, &mut self.resource, BELOW) {
                self.within.scope = itself(bytes, &scope);
                self.scope = scope;
            } else {
                let resource = take(bytes, &mut self.request, RESOURCES)?;
                self.within.resource = itself(bytes, &resource);
                self.resource = resource;
            }
        }
    }
}

/// Takes the next message that is field `wanted` out of what is left of one.
#[inline]
fn take(bytes: &[u8], left: &mut Range<usize>, wanted: u32) -> Option<Range<usize>> {
    let mut rest = &bytes[left.clone()];
    while !rest.is_empty() {
        let Some((number, value)) = field(&mut rest) else {
            left.start = left.end;
            return None;
        };
        left.start = left.end - rest.len();
        if let (true, Wire::Bytes(found)) = (number == wanted, value) {
            return Some(left.start - found.len()..left.start);
        }
    }
    None
}

/// Where a level's message holds the resource or scope that it is about.
fn itself(bytes: &[u8], message: &Range<usize>) -> Range<usize> {
    take(bytes, &mut message.clone(), ITSELF).unwrap_or_default()
}

/// What is said of all spans or log records of one scope.
#[derive(Clone, Debug, Default)]
pub struct Around<'a> {
    pub resource: Resource<'a>,
    /// The scope's name: a library or, for log records, mostly a logger.
    pub scope: &'a str,
    within: Within,
}

impl<'a> Around<'a> {
    /// Reads what is said there, as far as it is not known yet.
    pub fn move_to(&mut self, bytes: &'a [u8], within: &Within) {
        if self.within.resource != within.resource {
            self.resource = Resource::new(attributes(&bytes[within.resource.clone()], 1));
        }
        if self.within.scope != within.scope {
            let mut fields = Fields(&bytes[within.scope.clone()]);
            let name = fields.find_map(|field| if let (1, Wire::Bytes(name)) = field { Some(name) } else { None });
            self.scope = text(name.unwrap_or_default());
        }
        self.within.clone_from(within);
    }

    /// Says of the resource also what another one says: what it says itself stands first.
    pub fn add_resource(&mut self, other: &Resource<'a>) {
        let both = self.resource.attributes.iter().chain(&other.attributes);
        self.resource = Resource::new(both.copied().collect());
    }
}
