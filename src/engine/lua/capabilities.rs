//! The tables `http`, `fs` and `kv` of plugins: what the host does for them, as `capabilities.luau` calls it.
//!
//! They are always there; what the manifest does not ask for, or the user did not grant, is refused when it is used, in words that
//! say which of the two is missing. A refusal is a value with `kind` and `message`, which a script can catch, read and
//! raise again, and not make.

use std::time::Instant;

use mlua::{AnyUserData, IntoLua, Lua, LuaString, MetaMethod, Table, UserData, UserDataMethods};
use mlua::{FromLuaMulti, Value as LuaValue};

use super::request;
use super::value::Marks;
use crate::engine::access::files::{Entry, Placing};
use crate::engine::access::{Files, HttpClient, KeyValues};
use crate::engine::budget::Limits;
use crate::engine::error::CallError;
use crate::engine::grants::Grants;
use crate::engine::plugin::Border;

const SOURCE: &str = include_str!("capabilities.luau");

/// What the host does for one plugin.
#[derive(Clone)]
pub(super) struct Capabilities {
    grants: Grants,
    limits: Limits,
    http: HttpClient,
    texts: KeyValues,
}

/// When the call that runs in a state ends.
pub(super) struct Deadline(pub(super) Instant);

/// An error of the host in a script's hands.
pub(super) struct HostError(pub(super) CallError);

impl UserData for HostError {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |_, this, name: LuaString| match &*name.as_bytes() {
            b"kind" => Ok(Some(this.0.kind.word().to_owned())),
            b"message" => Ok(Some(this.0.message.clone())),
            _ => Ok(None),
        });
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(this.0.message.clone()));
    }
}

/// What becomes of a call of the host: true and a value, or false and an error.
type Answer = (bool, LuaValue);

impl Capabilities {
    pub(super) fn new(border: &Border) -> Self {
        let http = HttpClient::with_resolver(border.resolver.clone());
        Self { grants: border.grants.clone(), limits: border.limits, http, texts: KeyValues::default() }
    }

    /// Adds the tables to a state that is not closed yet.
    pub(super) fn install(&self, lua: &Lua, marks: &Marks) -> mlua::Result<()> {
        let host = lua.create_table()?;
        self.add_http(lua, &host, marks)?;
        self.add_files(lua, &host, marks)?;
        self.add_texts(lua, &host, marks)?;
        lua.load(SOURCE).set_name("=capabilities").call(host)
    }

    fn add_http(&self, lua: &Lua, host: &Table, marks: &Marks) -> mlua::Result<()> {
        let marks = marks.clone();
        self.add(lua, host, "http", move |this, lua, options: Table| {
            let request = request::read(&options, this.limits.into())?;
            // The state's calls all have one; without it nothing would end the request.
            let deadline = lua.app_data_ref::<Deadline>().map_or_else(Instant::now, |deadline| deadline.0);
            match this.http.send(&this.grants, this.limits, request, deadline) {
                Ok(response) => Ok(Ok(LuaValue::Table(request::response(lua, &marks, &response)?))),
                Err(error) => Ok(Err(error)),
            }
        })
    }

    fn add_files(&self, lua: &Lua, host: &Table, marks: &Marks) -> mlua::Result<()> {
        self.add(lua, host, "read", |this, lua, path: String| match this.files().read(&path) {
            Ok(content) => Ok(Ok(LuaValue::String(lua.create_string(content)?))),
            Err(error) => Ok(Err(error)),
        })?;
        for (name, placing) in [("write", Placing::Replace), ("append", Placing::Append)] {
            self.add(lua, host, name, move |this, _, (path, content): (String, LuaString)| {
                Ok(this.files().write(&path, &content.as_bytes(), placing).map(|()| LuaValue::Nil))
            })?;
        }
        let list_marks = marks.clone();
        self.add(lua, host, "list", move |this, lua, path: String| match this.files().list(&path) {
            Ok(entries) => {
                let list = list_marks.new_list(lua)?;
                entries.iter().try_for_each(|entry| list.raw_push(entry_to_lua(lua, entry)?))?;
                Ok(Ok(LuaValue::Table(list)))
            }
            Err(error) => Ok(Err(error)),
        })?;
        self.add(lua, host, "find", |this, lua, path: String| match this.files().find(&path) {
            Ok(Some(entry)) => Ok(Ok(LuaValue::Table(entry_to_lua(lua, &entry)?))),
            Ok(None) => Ok(Ok(LuaValue::Nil)),
            Err(error) => Ok(Err(error)),
        })?;
        self.add(lua, host, "remove", |this, _, path: String| Ok(this.files().remove(&path).map(|()| LuaValue::Nil)))
    }

    fn add_texts(&self, lua: &Lua, host: &Table, marks: &Marks) -> mlua::Result<()> {
        self.add(lua, host, "kv_get", |this, lua, key: String| Ok(Ok(this.texts.get(&key).into_lua(lua)?)))?;
        self.add(lua, host, "kv_set", |this, _, (key, text): (String, String)| {
            Ok(this.texts.set(&key, &text).map(|()| LuaValue::Nil))
        })?;
        self.add(lua, host, "kv_delete", |this, _, key: String| Ok(Ok(LuaValue::Boolean(this.texts.delete(&key)))))?;
        let marks = marks.clone();
        self.add(lua, host, "kv_keys", move |this, lua, ()| {
            let list = marks.new_list(lua)?;
            this.texts.keys().into_iter().try_for_each(|key| list.raw_push(key))?;
            Ok(Ok(LuaValue::Table(list)))
        })
    }

    /// Adds a function of the host. Its outer error is a wrong argument, its inner one what the host finds.
    fn add<A: FromLuaMulti>(
        &self,
        lua: &Lua,
        host: &Table,
        name: &str,
        work: impl Fn(&Self, &Lua, A) -> mlua::Result<Result<LuaValue, CallError>> + Send + 'static,
    ) -> mlua::Result<()> {
        let this = self.clone();
        let function = move |lua: &Lua, arguments: A| -> mlua::Result<Answer> {
            match work(&this, lua, arguments)? {
                Ok(value) => Ok((true, value)),
                Err(error) => Ok((false, LuaValue::UserData(lua.create_userdata(HostError(error))?))),
            }
        };
        host.raw_set(name, lua.create_function(function)?)
    }

    fn files(&self) -> Files<'_> {
        Files::new(&self.grants, self.limits)
    }
}

/// The host's error that a script raised again.
pub(super) fn host_error(data: &AnyUserData) -> Option<CallError> {
    data.borrow::<HostError>().ok().map(|error| error.0.clone())
}

fn entry_to_lua(lua: &Lua, entry: &Entry) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("name", entry.name.as_str())?;
    table.raw_set("kind", entry.kind)?;
    table.raw_set("bytes", entry.bytes)?;
    Ok(table)
}
