//! What the language promises as a whole.

mod documentation;
mod hostile;
mod oracle;
mod promises;
