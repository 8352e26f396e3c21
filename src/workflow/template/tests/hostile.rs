//! Whatever the source, it is parsed and rendered or refused; nothing panics.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::{Budgets, NoSurroundings, Scope, Template};

/// Small budgets, as a random template may well loop.
const BUDGETS: Budgets = Budgets { output_bytes: 20_000, steps: 20_000, scratch_bytes: 100_000, call_depth: 20 };

/// Renders in both ways; errors are fine. An error's place lies inside the source.
fn survive(source: &str) {
    let scope = Scope {
        dot: &json!({"s": "hé\u{1f600}", "n": 3, "f": -1.5, "l": [1, "a", null, [2]], "m": {"a": {"b": 1}}, "z": null}),
        variables: &Map::new(),
        input: &Value::Null,
        surroundings: &NoSurroundings,
        budgets: BUDGETS,
    };
    let rendered = Template::parse(source).and_then(|template| {
        template.output_references();
        template.render_value(&scope).and(template.render_text(&scope))
    });
    if let Err(error) = rendered {
        assert!(source.is_char_boundary(error.offset) && error.line >= 1 && error.column >= 1);
    }
}

/// Pieces that templates are made of, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{{",
        "}}",
        "{{- ",
        " -}}",
        "(",
        ")",
        " ",
        "|",
        ".",
        "$",
        ".s",
        ".l",
        ".m.a",
        ".z",
        "$x",
        ":=",
        "=",
        ",",
        "1",
        "-3",
        "1e9",
        "0x1p-2",
        "2i",
        "'a'",
        "\"%d\"",
        "\"%*[1]q\"",
        "`",
        "\"",
        "nil",
        "true",
        "{{if .n}}",
        "{{range .l}}",
        "{{range $i, $x := .m}}",
        "{{with .s}}",
        "{{else}}",
        "{{else if .z}}",
        "{{end}}",
        "{{break}}",
        "{{define \"a\"}}",
        "{{template \"a\" .}}",
        "{{block \"b\" .}}",
        "{{/*",
        "*/}}",
        "printf ",
        "slice ",
        "index ",
        "len ",
        "eq ",
        "html ",
        "js ",
        "split ",
        "join ",
        "replace ",
        "date ",
        "fromJson ",
        "toYaml ",
        "add ",
        "mul ",
        "div ",
        "first ",
        "min ",
        "é",
        "\u{1f600}",
        "\n",
        "\\",
        "%",
        "100000000",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// A call of any function with any arguments.
fn calls() -> impl Strategy<Value = String> {
    let names = super::super::functions::names().collect::<Vec<_>>();
    let argument = prop::sample::select(vec![
        ".",
        ".s",
        ".n",
        ".f",
        ".l",
        ".m",
        ".z",
        "nil",
        "true",
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "1.5e300",
        "-0.0",
        "2i",
        "\"\"",
        "\"a\"",
        "\"%v %5.2[2]*d %\"",
        "\"\\xff\"",
        "(slice .s 2)",
        "(index .s 0)",
        "\"[1,{\"",
        "\"2006-01-02\"",
        "\"9999-12-31T23:59:59-23:59\"",
    ]);
    (prop::sample::select(names), prop::collection::vec(argument, 0..4))
        .prop_map(|(name, arguments)| format!("{{{{{name} {}}}}}", arguments.join(" ")))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn any_text_is_rendered_or_refused(source in "\\PC{0,40}") {
        survive(&source);
        survive(&format!("{{{{{source}}}}}"));
    }

    #[test]
    fn any_order_of_pieces_is_rendered_or_refused(source in pieces()) {
        survive(&source);
        survive(&format!("{{{{{source}}}}}"));
    }

    #[test]
    fn any_call_gives_a_value_or_an_error(source in calls()) {
        survive(&source);
    }

    #[test]
    fn any_format_is_printed(format in "[%a-zA-Z0-9.*#+ \\[\\]-]{0,12}") {
        survive(&format!("{{{{printf `{format}` .n .f .s .l .m .z 2i}}}}"));
    }

    #[test]
    fn every_mutation_of_a_good_template_is_rendered_or_refused(cut in 0..200usize, length in 0..5usize, inserted in pieces()) {
        let good = "a {{- range $i, $x := .l}}{{if eq $i 1}}{{break}}{{else if $x}}{{printf \"%-5v|\" $x}}{{end}}{{end -}} \
                    {{define \"t\"}}{{.a.b | print 'x'}}{{end}}{{template \"t\" .m}}{{with $y := .s}}{{slice $y 1}}{{end}}";
        let floor = |at: usize| good.floor_char_boundary(at);
        let (start, end) = (floor(cut), floor(cut + length));
        survive(&format!("{}{inserted}{}", &good[..start], &good[end..]));
    }
}
