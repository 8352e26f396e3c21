//! Why nobody was logged in or out.

/// Why nobody was logged in or out.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Nobody asks for a token there.
    #[error("the registry `{registry}` takes no tokens")]
    NoTokens {
        /// The registry.
        registry: String,
    },
    /// A token would be read on its way.
    #[error("a token for `{registry}` would travel unencrypted")]
    InTheClear {
        /// The registry.
        registry: String,
    },
    /// No token is kept for it.
    #[error("there is no token for the registry `{registry}`")]
    NotLoggedIn {
        /// The registry.
        registry: String,
    },
    /// A text that cannot be a token.
    #[error("what stands in {place} cannot be a token: it is empty or has characters that no token has")]
    Malformed {
        /// Where it stands.
        place: String,
    },
    /// Nobody can be asked.
    #[error("the token for `{registry}` is needed, and there is nobody to type it")]
    NobodyToAsk {
        /// The registry.
        registry: String,
    },
    /// The standard input cannot be read.
    #[error("cannot read the token from the standard input")]
    Input {
        /// Why not.
        source: std::io::Error,
    },
}
