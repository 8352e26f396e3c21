//! The host process: confines itself, loads the library, and runs what the engine asks.
//!
//! The order matters: everything that can be taken away is gone before the library's first instruction runs, which is in
//! `dlopen`.

mod abi;
mod allowed;
mod channel;
mod confine;
mod crash;
mod edge;
mod files;
mod filter;
mod library;
mod table;
mod trap;

use std::ffi::c_int;
use std::process::ExitCode;

use self::channel::{Channel, Received};
use self::library::PluginLibrary;
use super::frame::FrameError;
use super::message::{FromHost, LoadOrder, ToHost};

/// Why the host ends before its time.
#[derive(Debug, thiserror::Error)]
enum HostError {
    #[error("`{}` is started by the engine, not by hand", super::HOST_ARGUMENT)]
    ByHand,
    #[error("cannot {what}: {reason}")]
    Confine { what: &'static str, reason: String },
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("the engine does not follow the protocol: {0}")]
    Protocol(String),
}

/// What `pocket __plugin-host` does: holds one plugin until the engine is done with it.
pub fn run_host() -> ExitCode {
    match edge::run(serve_to_the_end) {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// 0 if all went well.
extern "C-unwind" fn serve_to_the_end() -> c_int {
    match serve() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("error: {error}");
            1
        }
    }
}

fn serve() -> Result<(), HostError> {
    let channel = Channel::open(confine::settle()?)?;
    let Received { body, descriptor } = channel.read()?;
    let (number, ToHost::Load(order)) = ToHost::decode(&body)? else {
        return Err(HostError::Protocol("the first message is no `load`".to_owned()));
    };
    let order: LoadOrder = serde_json::from_slice(order).map_err(|error| HostError::Protocol(error.to_string()))?;
    let library = descriptor.ok_or_else(|| HostError::Protocol("no library came with `load`".to_owned()))?;
    let confined = match confine::confine(&order) {
        Ok(confined) => confined,
        Err(error) => return Ok(channel.send(number, &FromHost::Failed(&error.to_string()))?),
    };
    // From here on the process can do no more than the plugin may.
    channel.send(number, &FromHost::Confined(confined))?;
    match PluginLibrary::load(library, order.output) {
        Ok(library) => {
            channel.send(number, &FromHost::Ready)?;
            answer_all(channel, &library)
        }
        Err(reason) => Ok(channel.send(number, &FromHost::Failed(&reason))?),
    }
}

fn answer_all(channel: &Channel, library: &PluginLibrary) -> Result<(), HostError> {
    loop {
        let body = match channel.read() {
            Ok(received) => received.body,
            Err(FrameError::Closed) => return Ok(()), // the engine is gone
            Err(error) => return Err(error.into()),
        };
        let (number, message) = ToHost::decode(&body)?;
        match message {
            ToHost::Start(settings) => channel.during_call(
                number,
                || library.start(settings),
                |result| match result {
                    Ok(()) => FromHost::Ready,
                    Err(reason) => FromHost::Failed(reason),
                },
            )?,
            ToHost::Call { node, config, input, context } => {
                channel.during_call(number, || library.run(node, config, input, context), library::Outcome::message)?;
            }
            ToHost::Describe => channel.during_call(
                number,
                || library.describe(),
                |described| match described {
                    Ok(manifest) => FromHost::Described(manifest),
                    Err(reason) => FromHost::Unusable(reason),
                },
            )?,
            ToHost::Stop => {
                library.stop();
                return Ok(());
            }
            ToHost::Load(_) | ToHost::Connected | ToHost::Answered { .. } | ToHost::Refused { .. } => {
                return Err(HostError::Protocol("a message came out of turn".to_owned()));
            }
        }
    }
}
