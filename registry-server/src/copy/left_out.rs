//! Plugins that a copy goes without, because they do not fit together.
//!
//! A reader believes a plugin's file up to the checkpoint beside it: a file of an earlier copy that has not all events of a new checkpoint would hide
//! the newest, a yank or revocation perhaps. So it stays only as long as it is whole, and is removed otherwise, before the new checkpoint comes:
//! readers then find no such plugin, as in a copy of some plugins.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use pocket_index::layout;
use pocket_index::name::PluginName;
use pocket_index::record::Policy;

use super::check::Lines;
use super::plugin::Plugin;
use super::{Copy, From};
use crate::RegistryError;

/// 6 s: a cache on the way, as `serve --upstream` is one, may show a file that is 5 s older than the checkpoint beside it.
const CACHED: Duration = Duration::from_secs(6);

/// What a plugin that does not fit together means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsound {
    /// The end of the copy, before a checkpoint shows it to anybody.
    Ends,
    /// That it is left out, if it does not fit together after this pause either.
    IsLeftOut(Duration),
}

impl Unsound {
    /// For a copy of this.
    pub fn of(from: &From) -> Self {
        Self::IsLeftOut(match from {
            From::Place(_) => Duration::ZERO,
            From::Url(..) => CACHED,
        })
    }
}

/// A plugin that does not fit together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The plugin.
    pub name: PluginName,
    /// What is wrong with it.
    pub reason: String,
    /// What an earlier copy left of it.
    pub before: Before,
}

/// What an earlier copy left of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Absent,
    /// All that the log has of it: it stays.
    Whole,
    /// Not all that the log has of it: it goes.
    Partial,
}

impl Before {
    /// What the copy has of it now, for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Whole => "kept",
            Self::Partial => "removed",
        }
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let became = match self.before {
            Before::Absent => "is not in the copy",
            Before::Whole => "stays in the copy as it was",
            Before::Partial => "is removed from the copy, which had not all of it",
        };
        write!(f, "`{}` {became}: {}", self.name, self.reason)
    }
}

impl Copy<'_> {
    /// Looks once more at what would be taken away from readers: it may just have been older than the checkpoint.
    pub(super) async fn give_another_chance(
        &self,
        done: &mut [Plugin],
        plugins: &BTreeMap<&PluginName, &Lines>,
        policy: &Policy,
    ) -> Result<(), RegistryError> {
        let Unsound::IsLeftOut(pause) = self.unsound else { return Ok(()) };
        let would_go = |plugin: &Plugin| plugin.left_out.as_ref().is_some_and(|one| one.before == Before::Partial);
        if !done.iter().any(would_go) {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        for (plugin, (name, lines)) in done.iter_mut().zip(plugins).filter(|(plugin, _)| would_go(plugin)) {
            *plugin = self.plugin(name, lines, policy).await?;
        }
        Ok(())
    }

    /// Takes away what the checkpoint that comes next would vouch for in vain. Archives stay: nobody finds them without the file.
    pub(super) async fn clear_partial(&self, left_out: &[LeftOut]) -> Result<(), RegistryError> {
        for one in left_out.iter().filter(|one| one.before == Before::Partial) {
            self.to.remove(&self.there(&layout::index_file(&one.name))).await?;
        }
        Ok(())
    }
}
