//! The words in which a user grants permissions.

use std::fmt;

/// One word of what a user grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    /// The environment variables that the manifest lists.
    ReadEnv,
    /// HTTP to the hosts that the manifest lists.
    HttpClient,
    /// Stream connections to the hosts that the manifest lists.
    NetworkAccess,
    /// Reading in the folders that the manifest lists.
    ReadFiles,
    /// Writing in the folders that the manifest lists.
    WriteFiles,
}

impl Word {
    /// Every word, in the order of the documentation.
    pub const ALL: [Self; 5] =
        [Self::ReadEnv, Self::HttpClient, Self::NetworkAccess, Self::ReadFiles, Self::WriteFiles];

    /// The word in configuration files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadEnv => "read_env",
            Self::HttpClient => "http_client",
            Self::NetworkAccess => "network_access",
            Self::ReadFiles => "read_files",
            Self::WriteFiles => "write_files",
        }
    }

    /// The field of a manifest's `permissions` that asks for it.
    pub fn field(self) -> &'static str {
        match self {
            Self::ReadEnv => "env",
            Self::HttpClient => "http",
            Self::NetworkAccess => "network",
            Self::ReadFiles | Self::WriteFiles => "filesystem",
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
