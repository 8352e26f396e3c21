//! What the engine and the host process say to each other.

use serde::{Deserialize, Serialize};

use pocket_index::permissions::Access;

use super::frame::{Fields, FrameError};
use super::kernel::Kernel;
use crate::engine::plugin::Border;

/// The first thing the host process hears: how to confine itself. The library's descriptor comes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadOrder {
    /// Bytes of memory that the plugin may use.
    pub memory: u64,
    /// Bytes that a result may have.
    pub output: u64,
    /// Files and connections that may be open.
    pub open_files: u32,
    /// Environment variables with their values.
    pub env: Vec<(String, String)>,
    /// Files and folders to read.
    pub read: Vec<String>,
    /// Files and folders to write.
    pub write: Vec<String>,
    /// What to do where the kernel cannot confine file access.
    pub confinement: Confinement,
}

impl LoadOrder {
    /// What stands between the plugin and the rest, as far as the process enforces it itself.
    pub fn new(border: &Border, confinement: Confinement) -> Self {
        let grants = &border.grants;
        let folders = |access| {
            let granted = grants.folders().filter(move |folder| folder.access == access);
            granted.map(|folder| folder.path.clone()).collect()
        };
        Self {
            memory: border.limits.memory,
            output: border.limits.output,
            open_files: border.limits.open_files,
            env: grants.env_values().collect(),
            read: folders(Access::Read),
            write: folders(Access::Write),
            confinement,
        }
    }
}

/// What to do where the kernel lacks Landlock or seccomp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Confinement {
    /// Native plugins do not run there.
    #[default]
    Required,
    /// They run with what the user may do: the user said so.
    AllowUnconfined,
}

/// From the engine to the host process.
#[derive(Debug, PartialEq, Eq)]
pub enum ToHost<'a> {
    /// Confine yourself as the order says (a [`LoadOrder`] as JSON), then load the library whose descriptor
    /// comes with it.
    Load(&'a [u8]),
    /// Start the plugin with these settings.
    Start(&'a str),
    /// Ask the plugin for its manifest.
    Describe,
    /// Run a node.
    Call {
        /// Its type.
        node: &'a str,
        /// Its configuration as JSON.
        config: &'a str,
        /// Its input as JSON.
        input: &'a str,
        /// The context as JSON.
        context: &'a str,
    },
    /// The connection that was asked for; its descriptor comes with it.
    Connected,
    /// The answer to an HTTP request.
    Answered {
        /// Its status, address and headers as JSON.
        head: &'a str,
        /// What followed them.
        body: &'a [u8],
    },
    /// What was asked of the engine is not done.
    Refused {
        /// One of the header's `POCKET_CONNECT_` codes without its sign.
        code: u8,
        /// What to tell the plugin.
        reason: &'a str,
    },
    /// Stop the plugin and end.
    Stop,
}

impl<'a> ToHost<'a> {
    /// The frame's tag and fields.
    pub fn fields(&self) -> (u8, Vec<&[u8]>) {
        match self {
            Self::Load(order) => (1, vec![order]),
            Self::Start(settings) => (2, vec![settings.as_bytes()]),
            Self::Describe => (3, vec![]),
            Self::Call { node, config, input, context } => {
                (4, [node, config, input, context].iter().map(|text| text.as_bytes()).collect())
            }
            Self::Connected => (5, vec![]),
            Self::Refused { code, reason } => (6, vec![std::slice::from_ref(code), reason.as_bytes()]),
            Self::Stop => (7, vec![]),
            Self::Answered { head, body } => (8, vec![head.as_bytes(), body]),
        }
    }

    /// Reads a frame's body: the number of the question, and the message.
    pub fn decode(body: &'a [u8]) -> Result<(u32, Self), FrameError> {
        let mut fields = Fields::new(body)?;
        let number = fields.number;
        let message = match fields.tag {
            1 => Self::Load(fields.take()?),
            2 => Self::Start(fields.text()?),
            3 => Self::Describe,
            4 => Self::Call {
                node: fields.text()?,
                config: fields.text()?,
                input: fields.text()?,
                context: fields.text()?,
            },
            5 => Self::Connected,
            6 => Self::Refused { code: u8::from_be_bytes(fields.exact()?), reason: fields.text()? },
            7 => Self::Stop,
            8 => Self::Answered { head: fields.text()?, body: fields.take()? },
            _ => return Err(FrameError::Malformed("its tag is unknown")),
        };
        fields.end()?;
        Ok((number, message))
    }
}

/// What the kernel offered to confine the process with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confined {
    /// Whether file access is confined (Landlock).
    pub files: bool,
    /// Whether system calls are filtered (seccomp).
    pub system_calls: bool,
}

impl Confined {
    /// What to tell the user each time, if anything is missing.
    pub fn warning(self, plugin: &str) -> Option<String> {
        let kernel = Kernel { files: self.files, system_calls: self.system_calls };
        let what = kernel.consequence();
        (!kernel.confines()).then(|| format!("`{plugin}` is not confined, as your pocket.yaml allows, and {what}"))
    }
}

/// From the host process to the engine. The engine believes none of it: a plugin owns the process.
#[derive(Debug, PartialEq, Eq)]
pub enum FromHost<'a> {
    /// How the process is confined. The one thing to believe: it comes before the library is loaded.
    Confined(Confined),
    /// Loaded, or started.
    Ready,
    /// Not loaded, or not started.
    Failed(&'a str),
    /// The plugin's manifest; empty when it has none.
    Described(&'a str),
    /// The node ran.
    Returned(&'a str),
    /// The node reports an error.
    Raised(&'a str),
    /// The node's result is larger than allowed.
    TooLarge,
    /// The node's result cannot be used.
    Unusable(&'a str),
    /// The plugin logs something.
    Log {
        /// 0 to 3: debug, info, warn, error.
        level: u8,
        /// What.
        text: &'a str,
    },
    /// The plugin asks for an HTTP request.
    Http {
        /// The request as JSON.
        request: &'a str,
        /// What is sent after it.
        body: &'a [u8],
    },
    /// The plugin asks for a connection.
    Connect {
        /// Where to.
        host: &'a str,
        /// The port.
        port: u16,
    },
}

impl<'a> FromHost<'a> {
    /// Hands the frame's tag and fields to `write`.
    pub fn with_fields<T>(&self, write: impl FnOnce(u8, &[&[u8]]) -> T) -> T {
        match self {
            Self::Ready => write(1, &[]),
            Self::Failed(reason) => write(2, &[reason.as_bytes()]),
            Self::Described(manifest) => write(3, &[manifest.as_bytes()]),
            Self::Returned(text) => write(4, &[text.as_bytes()]),
            Self::Raised(text) => write(5, &[text.as_bytes()]),
            Self::TooLarge => write(6, &[]),
            Self::Unusable(reason) => write(7, &[reason.as_bytes()]),
            Self::Log { level, text } => write(8, &[&[*level], text.as_bytes()]),
            Self::Connect { host, port } => write(9, &[host.as_bytes(), &port.to_be_bytes()]),
            Self::Http { request, body } => write(11, &[request.as_bytes(), body]),
            Self::Confined(Confined { files, system_calls }) => {
                write(10, &[&[u8::from(*files), u8::from(*system_calls)]])
            }
        }
    }

    /// Reads a frame's body: the number of the question that it answers, and the message.
    pub fn decode(body: &'a [u8]) -> Result<(u32, Self), FrameError> {
        let mut fields = Fields::new(body)?;
        let number = fields.number;
        let message = match fields.tag {
            1 => Self::Ready,
            2 => Self::Failed(fields.text()?),
            3 => Self::Described(fields.text()?),
            4 => Self::Returned(fields.text()?),
            5 => Self::Raised(fields.text()?),
            6 => Self::TooLarge,
            7 => Self::Unusable(fields.text()?),
            8 => Self::Log { level: u8::from_be_bytes(fields.exact()?), text: fields.text()? },
            9 => Self::Connect { host: fields.text()?, port: u16::from_be_bytes(fields.exact()?) },
            11 => Self::Http { request: fields.text()?, body: fields.take()? },
            10 => {
                let [files, system_calls] = fields.exact()?;
                Self::Confined(Confined { files: files == 1, system_calls: system_calls == 1 })
            }
            _ => return Err(FrameError::Malformed("its tag is unknown")),
        };
        fields.end()?;
        Ok((number, message))
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::encode;
    use super::*;

    fn body(tag: u8, fields: &[&[u8]]) -> Vec<u8> {
        encode(5, tag, fields).expect("it is short").split_off(4)
    }

    #[test]
    fn what_the_engine_says_arrives() {
        for message in [
            ToHost::Load(b"{}"),
            ToHost::Start("{}"),
            ToHost::Describe,
            ToHost::Call { node: "n", config: "{}", input: "null", context: "{}" },
            ToHost::Connected,
            ToHost::Refused { code: 2, reason: "refused" },
            ToHost::Stop,
            ToHost::Answered { head: "{}", body: b"\xff" },
        ] {
            let (tag, fields) = message.fields();
            assert_eq!(ToHost::decode(&body(tag, &fields)).expect("it was just encoded"), (5, message));
        }
    }

    #[test]
    fn what_the_host_says_arrives() {
        for message in [
            FromHost::Ready,
            FromHost::Failed("why"),
            FromHost::Described(""),
            FromHost::Returned("{}"),
            FromHost::Raised("no"),
            FromHost::TooLarge,
            FromHost::Unusable("why"),
            FromHost::Log { level: 2, text: "careful" },
            FromHost::Connect { host: "localhost", port: 6379 },
            FromHost::Http { request: "{}", body: b"\xff" },
            FromHost::Confined(Confined { files: true, system_calls: false }),
        ] {
            let body = message.with_fields(body);
            assert_eq!(FromHost::decode(&body).expect("it was just encoded"), (5, message));
        }
    }

    #[test]
    fn a_forged_message_is_an_error() {
        for (tag, fields) in [
            (0, vec![]),
            (99, vec![]),
            (9, vec![b"h".as_slice(), b"port"]),
            (4, vec![b"\xff"]),
            (1, vec![b"x"]),
            (10, vec![b""]),
        ] {
            assert!(matches!(FromHost::decode(&body(tag, &fields)), Err(FrameError::Malformed(_))), "{tag}");
        }
    }
}
