//! How large things may be: every number in one place, with its unit and its reason.

/// 1 MiB. Real manifests stay under 64 KiB; a mapping of more is slow to check and to show.
pub const MANIFEST_BYTES: u64 = 1 << 20;

/// 255 bytes in one part of a path: what ext4, APFS and NTFS all can store.
pub const PATH_PART_BYTES: usize = 255;

/// 1,024 bytes in a path: the shortest `PATH_MAX` among the systems plugins run on (macOS).
pub const PATH_BYTES: usize = 1_024;

/// 32 parts in a path. Real plugins stay under 10.
pub const PATH_PARTS: usize = 32;

/// 8 KiB in a PAX header: a path and a size need less than 1.1 KiB.
pub const PAX_BYTES: u64 = 8 << 10;

/// 1 MiB of zeros at an archive's end. Stock tar pads to records of 10 KiB, and `-b 2048` to 1 MiB.
pub const END_PADDING_BYTES: u64 = 1 << 20;

/// The limits of an archive that a registry, or a user by flag, may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the archive itself.
    pub archive: u64,
    /// Bytes of all files in it together.
    pub unpacked: u64,
    /// How many entries it may have, folders among them.
    pub entries: u64,
    /// How many bytes of tar one byte of archive may become, once there are more than [`Limits::ratio_from`].
    pub ratio: u64,
    /// Below this many bytes of tar the ratio does not count: small archives of zeros harm nobody.
    pub ratio_from: u64,
}

impl Limits {
    /// The usual limits, with another one for the bytes of all files together where it was moved.
    pub fn with_unpacked(moved: Option<u64>) -> Self {
        let usual = Self::default();
        Self { unpacked: moved.unwrap_or(usual.unpacked), ..usual }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // 128 MiB: an archive is held in memory while it is checked.
            archive: 128 << 20,
            // 256 MiB: several times the largest native plugin seen, and held in memory too.
            unpacked: 256 << 20,
            // 10,000: more files make every install and every check of an installed folder slow.
            entries: 10_000,
            // 200:1. Real plugins stay under 8:1; more is taken for a bomb.
            ratio: 200,
            // 1 MiB.
            ratio_from: 1 << 20,
        }
    }
}
