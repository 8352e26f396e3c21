//! A readme as HTML: text, headings, lists, tables, code and links, and nothing that loads or does anything.

use std::borrow::Cow;
use std::collections::HashSet;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// What a readme may be made of. Headings begin below the page's own.
const TAGS: [&str; 34] = [
    "a",
    "b",
    "blockquote",
    "br",
    "code",
    "dd",
    "del",
    "details",
    "dl",
    "dt",
    "em",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "kbd",
    "li",
    "ol",
    "p",
    "pre",
    "s",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
];

/// Turns Markdown, which may have HTML in it, into HTML that is safe to show. Pictures become their descriptions: a page loads
/// nothing from elsewhere.
pub(super) fn to_html(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let events = Parser::new_ext(markdown, options).filter_map(plain);
    let mut unsafe_html = String::new();
    html::push_html(&mut unsafe_html, events);
    cleaner().clean(&unsafe_html).to_string()
}

fn plain(event: Event<'_>) -> Option<Event<'_>> {
    match event {
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        Event::Start(Tag::Heading { level, id, classes, attrs }) => {
            Some(Event::Start(Tag::Heading { level: lower(level), id, classes, attrs }))
        }
        Event::End(TagEnd::Heading(level)) => Some(Event::End(TagEnd::Heading(lower(level)))),
        event => Some(event),
    }
}

/// The page's title is the first level, the word "Readme" the second.
fn lower(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    }
}

fn cleaner() -> ammonia::Builder<'static> {
    let mut cleaner = ammonia::Builder::empty();
    cleaner
        .tags(HashSet::from(TAGS))
        .tag_attributes([("a", HashSet::from(["href"])), ("ol", HashSet::from(["start"]))].into())
        .clean_content_tags(HashSet::from(["script", "style", "template", "iframe", "noscript", "svg", "math"]))
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        // A relative link points into the archive, and would point into the registry here.
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow ugc"))
        .attribute_filter(|_, attribute, value| {
            (attribute != "href" || !value.contains('\0')).then_some(Cow::from(value))
        });
    cleaner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readme_keeps_its_text_headings_tables_and_code() {
        let html =
            to_html("# Title\n\n**bold** [site](https://example.com/)\n\n| a |\n|---|\n| b |\n\n```lua\nx < 1\n```\n");
        for part in [
            "<h3>Title</h3>",
            "<strong>bold</strong>",
            "<a href=\"https://example.com/\" rel=\"noopener noreferrer nofollow ugc\">site</a>",
            "<th>a</th>",
            "<td>b</td>",
            "<pre><code>x &lt; 1\n</code></pre>",
        ] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
    }

    /// Each tries to run something, to load something, to look like the page, or to lead to a script.
    const HOSTILE: [&str; 24] = [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](https://evil.example/track.png)",
        "![x](x \"\" onerror=alert(1))",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](java\tscript:alert(1))",
        "<a href=\"&#106;avascript:alert(1)\">x</a>",
        "<a href=\"data:text/html,<script>alert(1)</script>\">x</a>",
        "<svg onload=alert(1)><script>alert(1)</script></svg>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
        "<iframe srcdoc=\"<script>alert(1)</script>\"></iframe>",
        "<form action=https://evil.example><input name=password><button>Log in</button></form>",
        "<p style=\"position:fixed;inset:0\" class=banner id=main>x</p>",
        "<style>*{display:none}</style>",
        "<link rel=stylesheet href=https://evil.example/x.css>",
        "<meta http-equiv=refresh content=\"0;url=https://evil.example\">",
        "<base href=https://evil.example/>",
        "<object data=https://evil.example></object><embed src=https://evil.example>",
        "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
        "<details open ontoggle=alert(1)><summary>x</summary></details>",
        "<template><script>alert(1)</script></template>",
        "`<script>alert(1)</script>`\n\n    <script>alert(1)</script>",
        "# <img src=x onerror=alert(1)>\n\n</div></main></body><script>alert(1)</script>",
    ];

    #[test]
    fn nothing_in_a_hostile_readme_does_anything() {
        for text in HOSTILE {
            let html = to_html(text).to_lowercase();
            for tag in [
                "<script", "<img", "<svg", "<math", "<iframe", "<form", "<input", "<style", "<link", "<meta", "<base",
                "<object", "<embed",
            ] {
                assert!(!html.contains(tag), "{text} -> {html}");
            }
            let tags = html.split('<').skip(1).filter_map(|rest| rest.split('>').next());
            for tag in tags {
                for attribute in ["on", "style=", "class=", "id=", "src", "javascript", "data:"] {
                    let has = tag.split_whitespace().skip(1).any(|part| part.starts_with(attribute));
                    assert!(!has && !tag.contains("javascript:"), "{text} -> {html}");
                }
            }
        }
    }

    #[test]
    fn links_lead_to_the_web_alone() {
        let html = to_html(
            "[a](https://a.example) [b](docs/b.md) [c](//c.example) [d](/login) [e](#e) [f](file:///etc/passwd)",
        );
        assert_eq!(html.matches("href").count(), 1, "{html}");
        assert!(html.contains("rel=\"noopener noreferrer nofollow ugc\""), "{html}");
    }
}
