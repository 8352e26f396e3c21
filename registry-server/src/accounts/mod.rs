//! Who may do what: tokens, which an operator makes, and which a server asks for.
//!
//! A token says who may *send* something; who may *sign* it say a plugin's owners, and nobody with a token can do that for them. A server that
//! only its own machine reaches asks for no token unless it is told to; one that others reach asks whoever writes; a private
//! registry asks everybody for everything.

mod command;
mod error;
mod routes;
mod store;
mod token;

pub use command::TokenCommand;
pub use error::TokenError;
pub use token::Scope;

pub(crate) use command::run;
pub(crate) use routes::described;
pub(crate) use store::{copy, find};
pub(crate) use token::{Presented, TokenRecord};
