//! What went wrong in a template, and where.

/// When a template failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The source is no template; found before anything is rendered.
    Parse,
    /// The source is a template, but it does not go with this data, or it met a limit.
    Execute,
}

/// An error of a template with its place in the source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template:{line}:{column}: {message}")]
pub struct TemplateError {
    /// Whether parsing or rendering failed.
    pub phase: Phase,
    /// Bytes of the source before the place.
    pub offset: usize,
    /// Line of the place, from 1.
    pub line: usize,
    /// Column of the place in characters, from 1.
    pub column: usize,
    /// What is wrong: lower case, no full stop, names in backticks.
    pub message: String,
}

impl TemplateError {
    /// An error at `offset` of `source`; an offset inside a character or past the end is moved back to the nearest place.
    pub(super) fn new(phase: Phase, source: &str, offset: usize, message: String) -> Box<Self> {
        let offset = source.floor_char_boundary(offset);
        let before = &source[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = 1 + before.bytes().filter(|&byte| byte == b'\n').count();
        let column = 1 + before[line_start..].chars().count();
        Box::new(Self { phase, offset, line, column, message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_in_lines_and_characters() {
        let error = TemplateError::new(Phase::Parse, "é\nüx{{", 5, "broken".to_owned());
        assert_eq!((error.offset, error.line, error.column), (5, 2, 2));
        assert_eq!(error.to_string(), "template:2:2: broken");
    }

    #[test]
    fn a_place_inside_a_character_or_past_the_end_is_moved_back() {
        assert_eq!(TemplateError::new(Phase::Parse, "é", 1, String::new()).offset, 0);
        assert_eq!(TemplateError::new(Phase::Parse, "é", 9, String::new()).offset, 2);
    }
}
