//! `http.request{…}`: the table of a script as a request, and an answer as a table.

use mlua::{Lua, LuaString, Table, Value as LuaValue};

use super::encode::{self, Room};
use super::value::{self, Marks};
use crate::engine::access::{HttpRequest, HttpResponse, Redirects};

const KNOWN: &str = "`method`, `url`, `headers`, `body`, `redirect`";

/// Reads what a script wants to send. A table as body must have room as JSON.
pub(super) fn read(options: &Table, room: Room) -> mlua::Result<HttpRequest> {
    let mut request = HttpRequest { method: "GET".to_owned(), ..HttpRequest::default() };
    let mut json = None;
    for pair in options.pairs::<LuaValue, LuaValue>() {
        let (name, value) = pair?;
        let name = name.as_string().map(LuaString::to_string_lossy).unwrap_or_default();
        match (name.as_str(), &value) {
            ("method", LuaValue::String(method)) => request.method = method.to_string_lossy(),
            ("url", LuaValue::String(url)) => request.url = url.to_string_lossy(),
            ("headers", LuaValue::Table(wanted)) => request.headers = headers(wanted)?,
            ("body", LuaValue::String(body)) => request.body = body.as_bytes().to_vec(),
            ("body", LuaValue::Table(_)) => {
                let body = encode::with_reasons(&value, room).map_err(|unfit| unfit.raised("http: `body`", room))?;
                json = Some(body.to_string());
            }
            ("redirect", LuaValue::String(wanted)) => request.redirects = redirects(wanted)?,
            ("method" | "url" | "headers" | "body" | "redirect", other) => {
                return Err(wrong(&format!("`{name}` cannot be a {}", value::type_of(other))));
            }
            _ => return Err(wrong(&format!("unknown option `{}`; known are {KNOWN}", name.escape_debug()))),
        }
    }
    if let Some(json) = json {
        request.body = json.into_bytes();
        if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            request.headers.push(("content-type".to_owned(), b"application/json".to_vec()));
        }
    }
    Ok(request)
}

/// Each header is a text, a number, or a list of them for one that stands there several times.
fn headers(wanted: &Table) -> mlua::Result<Vec<(String, Vec<u8>)>> {
    let mut headers = Vec::new();
    for pair in wanted.pairs::<LuaString, LuaValue>() {
        let (name, value) = pair.map_err(|_| wrong("a header's name must be a text"))?;
        let name = name.to_string_lossy();
        match value {
            LuaValue::Table(values) => {
                for value in values.sequence_values::<LuaValue>() {
                    headers.push((name.clone(), header_value(&name, &value?)?));
                }
            }
            value => headers.push((name.clone(), header_value(&name, &value)?)),
        }
    }
    Ok(headers)
}

fn header_value(name: &str, value: &LuaValue) -> mlua::Result<Vec<u8>> {
    match value {
        LuaValue::String(text) => Ok(text.as_bytes().to_vec()),
        LuaValue::Integer(number) => Ok(number.to_string().into_bytes()),
        LuaValue::Number(number) => Ok(number.to_string().into_bytes()),
        other => Err(wrong(&format!("the header `{}` cannot be a {}", name.escape_debug(), value::type_of(other)))),
    }
}

fn redirects(wanted: &LuaString) -> mlua::Result<Redirects> {
    match &*wanted.as_bytes() {
        b"follow" => Ok(Redirects::Follow),
        b"return" => Ok(Redirects::Return),
        _ => Err(wrong("`redirect` must be `follow` or `return`")),
    }
}

/// `{status, url, headers, body}`, names of headers in lower case, several of one name joined by commas.
pub(super) fn response(lua: &Lua, marks: &Marks, response: &HttpResponse) -> mlua::Result<Table> {
    let headers = marks.new_object(lua)?;
    for (name, value) in &response.headers {
        let value = match headers.raw_get::<Option<LuaString>>(name.as_str())? {
            Some(before) => [&*before.as_bytes(), b", ", value].concat(),
            None => value.clone(),
        };
        headers.raw_set(name.as_str(), lua.create_string(value)?)?;
    }
    let table = lua.create_table()?;
    table.raw_set("status", response.status)?;
    table.raw_set("url", response.url.as_str())?;
    table.raw_set("headers", headers)?;
    table.raw_set("body", lua.create_string(&response.body)?)?;
    Ok(table)
}

fn wrong(message: &str) -> mlua::Error {
    mlua::Error::runtime(format!("http: {message}"))
}
