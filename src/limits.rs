//! Limits from configuration files, for `explain --limits` and for the daemon.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use collector::correlate::Knowledge;
use collector::limits::{Part, Unreadable};
use domain::{Evidence, Folded, StackName};
use jiff::Timestamp;

/// What a file states; the inner error tells that it is none of the kinds that are read, or not what its name promises.
pub fn parts(file: &Path) -> anyhow::Result<Result<Vec<Part>, Unreadable>> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("`{name}` cannot be read"))?;
    let base = file.file_name().map_or_else(|| name.to_string(), |base| base.to_string_lossy().into_owned());
    Ok(collector::limits::parts(&base, &text))
}

/// What the configuration files of each stack state.
#[derive(Debug, Default)]
pub struct Configured {
    stacks: BTreeMap<StackName, Knowledge>,
    unknown: Knowledge,
}

impl Configured {
    /// Reads section `limits`. Whoever names a file means it, so one that cannot be read is an error.
    pub fn read(files: &BTreeMap<String, Vec<PathBuf>>) -> anyhow::Result<Self> {
        let mut stacks = BTreeMap::new();
        for (stack, files) in files {
            let mut knowledge = Knowledge::default();
            for file in files {
                let parts = parts(file).with_context(|| format!("`limits.{stack}`"))?;
                knowledge.learn(parts.with_context(|| format!("`limits.{stack}`: `{}`", file.display()))?);
            }
            stacks.insert(StackName::from(stack.as_str()), knowledge);
        }
        Ok(Self { stacks, unknown: Knowledge::default() })
    }

    /// The incidents of a group of evidence, which is of one stack.
    pub fn fold(&self, evidence: &[Evidence], as_of: Timestamp) -> Folded {
        let known = evidence.first().and_then(|first| self.stacks.get(&first.stack));
        collector::fold_knowing(evidence, known.unwrap_or(&self.unknown), as_of)
    }
}
