//! The plugin in Lua.

use std::path::Path;

use crate::actor::{Actor, Attempt, Refusal};

pub struct Lua;

const SOURCE: &str = "
function read_env(name) return env[name] end
function http_get(input)
  local parts = str_split(input, '|')
  local headers = json_object()
  if parts[2] then headers[parts[2]] = parts[3] end
  return http.get(parts[1], {headers = headers}).body
end
function read_file(path) return fs.read(path) end
function write_file(path) fs.write(path, 'new') return 'written' end
";

impl Actor for Lua {
    fn runtime(&self) -> &'static str {
        "lua"
    }

    fn write(&self, folder: &Path) -> String {
        std::fs::write(folder.join("main.lua"), SOURCE).expect("it can be written");
        "main.lua".to_owned()
    }

    fn refusal(&self, attempt: Attempt) -> Refusal {
        match attempt {
            Attempt::ReadEnv => Refusal::Absence,
            Attempt::Connect | Attempt::LinkFile => Refusal::Nowhere,
            Attempt::HttpGet | Attempt::ReadFile | Attempt::WriteFile => Refusal::Words,
        }
    }
}
