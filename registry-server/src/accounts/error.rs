//! Why a token cannot be made or revoked.

/// Why a token cannot be made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The system gives no randomness.
    #[error("cannot make a token: {message}")]
    Randomness {
        /// Why not.
        message: String,
    },
    /// No token is called so.
    #[error("the registry has no token `{asked}`")]
    None {
        /// What was asked for.
        asked: String,
    },
    /// Several tokens are called so.
    #[error("{count} tokens are called `{asked}`: name one of them by its id")]
    Several {
        /// What was asked for.
        asked: String,
        /// How many there are.
        count: usize,
    },
    /// It cannot be given another state, because somebody else does so at the same time.
    #[error("the token `{id}` was changed meanwhile")]
    Changed {
        /// Which.
        id: String,
    },
    /// What is kept of a token cannot be read.
    #[error("`{path}` is damaged: {message}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        message: String,
    },
}
