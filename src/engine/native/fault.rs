//! Where a plugin crashed: what the host's signal handler writes as one line, and how the engine reads it.
//!
//! The plugin owns the process, so the line may be anything: it decides nothing, it only makes a report more useful.

/// What such a line starts with. Three hexadecimal numbers follow: the instruction's place in the plugin's library, or 0 if
/// it is elsewhere; the address that was touched; the stack pointer.
pub const FAULT_LINE: &str = "pocket: fault ";

/// 64 KiB: an access this near to the stack pointer, and invalid, has run over the end of the stack.
const STACK_REACH: u64 = 64 << 10;

/// Where a plugin crashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The instruction's place in the library's memory, if it is in the library.
    pub place: Option<u64>,
    /// The address that was touched.
    pub address: u64,
    /// The stack pointer.
    pub stack: u64,
}

impl Fault {
    /// Reads a line of the handler's.
    pub fn parse(line: &str) -> Option<Self> {
        let mut numbers = line.strip_prefix(FAULT_LINE)?.split(' ').map(|number| u64::from_str_radix(number, 16).ok());
        let (place, address, stack) = (numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(Self { place: Some(place).filter(|place| *place != 0), address, stack })
    }

    /// Whether the stack was full.
    pub fn is_stack_overflow(&self) -> bool {
        self.address.abs_diff(self.stack) < STACK_REACH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_if_it_is_whole() {
        let fault = Fault { place: Some(0x1139), address: 8, stack: 0x7fff_0000 };
        assert_eq!(Fault::parse("pocket: fault 1139 8 7fff0000"), Some(fault));
        assert_eq!(Fault::parse("pocket: fault 0 8 7fff0000").map(|fault| fault.place), Some(None));
        for line in ["", "pocket: fault ", "pocket: fault 1 2", "pocket: fault 1 2 3 4", "pocket: fault x 2 3"] {
            assert_eq!(Fault::parse(line), None, "{line}");
        }
    }

    #[test]
    fn an_access_near_the_stack_pointer_is_a_full_stack() {
        assert!(!Fault { place: None, address: 8, stack: 0x7fff_0000 }.is_stack_overflow());
        assert!(Fault { place: None, address: 0x7ffe_fff8, stack: 0x7fff_0000 }.is_stack_overflow());
    }
}
