//! What can be typed after `pocket key`.

use std::path::PathBuf;

use clap::Subcommand;
use pocket_index::name::PluginName;
use pocket_index::pattern::NamePattern;
use pocket_index::signature::PublicKey;

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key
    New {
        /// Its name
        #[arg(default_value = "default")]
        name: PluginName,
        /// Encrypt it with a passphrase, which is asked for or taken from POCKET_KEY_PASSPHRASE
        #[arg(long)]
        passphrase: bool,
    },
    /// List the keys
    List,
    /// Show one key: its public half and its fingerprint
    Show {
        /// Its name
        #[arg(default_value = "default")]
        name: PluginName,
    },
    /// Print a key in the form of other tools
    Export {
        /// Its name
        #[arg(default_value = "default")]
        name: PluginName,
        /// Print the public half instead of the private one
        #[arg(long)]
        public: bool,
        /// Encrypt what is printed with a new passphrase
        #[arg(long, conflicts_with = "public")]
        passphrase: bool,
    },
    /// Trust a publisher's key: plugins of such a name must be signed by it, or by another one trusted for them
    Trust {
        /// The public key
        #[arg(value_name = "PUBLIC-KEY")]
        key: PublicKey,
        /// The plugins' names; `*` stands for any letters
        #[arg(long = "for", value_name = "PATTERN")]
        pattern: NamePattern,
    },
    /// Distrust a publisher's key: what only such keys signed is refused
    Revoke {
        /// The public key
        #[arg(value_name = "PUBLIC-KEY")]
        key: PublicKey,
        /// Why, in one line
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Forget what was said of a publisher's key, a revocation too
    Forget {
        /// The public key
        #[arg(value_name = "PUBLIC-KEY")]
        key: PublicKey,
        /// Only that it is trusted for these names
        #[arg(long = "for", value_name = "PATTERN")]
        pattern: Option<NamePattern>,
    },
    /// List the publishers' keys that are trusted or revoked
    Trusted,
    /// Sign an organisation's trust.yaml: writes FILE.sig
    Sign {
        /// The file
        file: PathBuf,
        /// The key that signs
        #[arg(long, value_name = "NAME", default_value = "default")]
        key: PluginName,
    },
    /// Take a key that was made elsewhere: PKCS#8 in PEM, as OpenSSL writes it, or another Pocket's export
    Import {
        /// Its name here
        name: PluginName,
        /// Its file; `-` reads the standard input
        file: PathBuf,
        /// Encrypt it with a passphrase
        #[arg(long)]
        passphrase: bool,
    },
}
