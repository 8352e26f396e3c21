//! Pocket: a package manager for plugins, and the engine that runs them.
//!
//! # Rooms, in the order in which a plugin goes through them
//!
//! | room | what happens there |
//! |---|---|
//! | [`project`] | `pocket.yaml` and `pocket.lock`: what is wanted, what was chosen |
//! | [`home`] | the user's folder: keys, what was seen of registries, whole-or-not-at-all writes |
//! | [`resolve`] | which versions; pure |
//! | [`registry`] | reading and writing registries; the only room that uses the network for packages |
//! | [`store`] | from a verified archive to an installed plugin |
//! | [`engine`] | runs foreign code, always with grants and limits |
//! | [`nodes`] | the built-in node types |
//! | [`workflow`] | documents, plans, runs |
//! | [`ops`] | the verbs, which join the rooms above |
//! | [`cli`] | what is typed and what is printed |
//!
//! Signatures and digests are checked in `pocket_index::verify` and nowhere else; the first write of an archive's
//! files is in `store/unpack.rs`.
//!
//! # Files on the user's disk
//!
//! | file | written by | read by |
//! |---|---|---|
//! | `<project>/pocket.yaml` | the user; [`project`] edits dependencies | [`project`] |
//! | `<project>/pocket.lock` | [`ops`], last of an install | [`project`] |
//! | `~/.pocket/pocket.yaml`, `pocket.lock` | the same, for the user's own plugins | [`project`] |
//! | `~/.pocket/plugins/<name>/<version>/` | [`store`], by one rename | [`store`], [`engine`] |
//! | `~/.pocket/plugins/<name>/<version>~<tree>/` | the same, for other files of that name and version | the same |
//! | `~/.pocket/plugins/<name>/<version>.tree` | [`store`], after that rename | [`store`] |
//! | `~/.pocket/plugins/.staging/`, `.lock` | [`store`] | [`store`] |
//! | `~/.pocket/projects/<id>.lock` | [`home`]: held while a project is changed | [`home`] |
//! | `~/.pocket/loaded/<id>.toml`, `<id>.lock` | [`home`]: what is used where it stands, and what was unloaded, for each project | [`ops`] |
//! | `~/.pocket/metrics.json`, `metrics.lock` | [`home`], after each run that called a plugin | [`ops`] |
//! | `~/.pocket/runs/<run>.journal` | [`workflow`]: what happened in a run, if it is asked to keep that | [`workflow`], [`ops`] |
//! | `~/.pocket/sdk/<version>/` | [`ops`]: the kits that `plugin create` builds on | compilers |
//! | `~/.pocket/stores` | [`home`]: folders that `--dir` installed to | [`ops`] |
//! | `~/.pocket/keys/<name>.key` | [`home`], mode 0600 | [`home`] |
//! | `~/.pocket/credentials.toml` | [`home`], mode 0600: tokens, by the URL of their registry | [`ops`] |
//! | `~/.pocket/trust/<id>.toml` | [`registry`]: a registry's keys, newest checkpoint, newest events and revoked versions | [`registry`], [`ops`] |
//! | `~/.pocket/trust/keys.toml` | [`home`]: publishers' keys that the user trusts or distrusts | [`ops`] |
//! | `~/.pocket/trust/publishers/` | [`home`]: who signed a forge's releases | [`ops`] |
//! | `~/.pocket/trust.yaml`, `trust.yaml.sig` | an organisation | [`project`], [`ops`] |
//! | `~/.pocket/evidence/<id>-<n>.txt` | [`registry`]: two things that a registry showed and that do not fit | people |
//! | `~/.pocket/cache/index/<id>/`, `archives/` | [`registry`] | [`registry`], verified each time; `….part` is what has come of an archive so far |
//! | `~/.pocket/cache/compiled/` | [`engine`]: WebAssembly compiled for this machine | [`engine`], checked each time |
//!
//! `POCKET_HOME` names another folder than `~/.pocket`.

pub mod cli;
pub mod engine;
pub mod home;
pub mod nodes;
pub mod ops;
pub mod project;
pub mod registry;
pub mod resolve;
pub mod store;
pub mod workflow;
