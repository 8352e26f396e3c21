//! The plugins that have a word: for each the distance from the one before, shifted by the three bits of the place, as a number of seven
//! bits a byte (LEB128).

use super::super::rank::Place;

/// Adds one.
pub(super) fn push(bytes: &mut Vec<u8>, distance: u32, place: Place) {
    let mut number = u64::from(distance) << 3 | place as u64;
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// The number of each plugin, and where it has the word. What makes no sense is the end.
pub(in super::super) fn postings(mut bytes: &[u8]) -> impl Iterator<Item = (u32, Place)> {
    let mut plugin: u32 = 0;
    std::iter::from_fn(move || {
        let (mut number, mut shift) = (0_u64, 0);
        loop {
            let (byte, rest) = bytes.split_first()?;
            bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
            if shift > 35 {
                bytes = &[];
                return None;
            }
        }
        plugin = plugin.checked_add(u32::try_from(number >> 3).ok()?)?;
        Some((plugin, Place::ALL.get((number & 7) as usize).copied()?))
    })
}
