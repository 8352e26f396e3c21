//! Text in a picture: how wide it may get, where it is cut, and how it is kept from being anything but text.

/// A font size with a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Font {
    /// A node's name.
    Name,
    /// A node's type, and what a run tells of it.
    Small,
}

impl Font {
    /// Pixels an em.
    fn size(self) -> f64 {
        match self {
            Self::Name => 13.0,
            Self::Small => 11.0,
        }
    }

    /// How much wider than the regular weight.
    fn weight(self) -> f64 {
        match self {
            Self::Name => 1.1,
            Self::Small => 1.0,
        }
    }
}

/// The width of a text in pixels, in the widest of the usual sans-serif fonts: which one a viewer has is not known.
pub(super) fn width(text: &str, font: Font) -> f64 {
    text.chars().map(em).sum::<f64>() * font.size() * font.weight()
}

/// A character's width in DejaVu Sans, rounded up, in ems.
fn em(character: char) -> f64 {
    match character {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '|' | '\'' | '!' => 0.36,
        ' ' | 'f' | 't' | 'r' | '-' | '(' | ')' | '[' | ']' | '/' | '\\' | '"' => 0.43,
        's' | 'c' | 'k' | 'v' | 'x' | 'y' | 'z' | '_' | '*' | '?' => 0.6,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' | '×' => 1.0,
        'A'..='Z' => 0.79,
        '\u{0}'..='\u{2ff}' => 0.66,
        '\u{300}'..='\u{10ff}' => 0.8,
        // East Asian characters take a square, emoji a little more.
        _ => 1.3,
    }
}

/// The text, with its end cut off if it is wider.
pub(super) fn fitted(text: &str, font: Font, most: f64) -> String {
    if width(text, font) <= most {
        return text.to_owned();
    }
    let room = most - width("…", font);
    let mut taken = 0.0;
    let scale = font.size() * font.weight();
    let kept: String = text
        .chars()
        .take_while(|&character| {
            taken += em(character) * scale;
            taken <= room
        })
        .collect();
    format!("{}…", kept.trim_end())
}

/// The text in one line, without characters that are invisible, turn the reading direction or are not allowed in XML.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' | '\r' | '\t' => ' ',
            // A name must not reorder what stands around it, nor look like another.
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => '\u{fffd}',
            '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
            other if other.is_control() => '\u{fffd}',
            other => other,
        })
        .collect()
}

/// The text for XML and HTML, in content and in attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in plain(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_wide_is_cut_and_says_so() {
        assert_eq!(fitted("short", Font::Name, 200.0), "short");
        let cut = fitted(&"long-".repeat(100), Font::Name, 200.0);
        assert!(cut.ends_with('…') && width(&cut, Font::Name) <= 200.0, "{cut}");
    }

    #[test]
    fn a_name_stays_text() {
        assert_eq!(
            escaped("</text><script a='1'>&\"\u{202e}\u{0}\n"),
            "&lt;/text&gt;&lt;script a=&#39;1&#39;&gt;&amp;&quot;\u{fffd}\u{fffd} "
        );
    }
}
