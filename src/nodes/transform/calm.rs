//! Which jq programs are plainly harmless: they take a small multiple of the time and memory of their input, whatever it is. Nothing
//! in them repeats, nothing multiplies, and no two streams of results meet.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::ops::Math;
use jaq_core::path::Part;

use super::Ease;

/// The longest program that is looked at: 4 KiB.
const MAX_LENGTH: usize = 4 << 10;
/// How many sums a program may have: each may double what it is given.
const MAX_SUMS: usize = 8;
/// The largest number that a text may be multiplied by in what looks like arithmetic.
const MAX_FACTOR: f64 = 1000.0;

/// Filters without arguments, or with filters that see each item once.
const PLAIN: [&str; 51] = [
    "length",
    "keys",
    "not",
    "tostring",
    "tonumber",
    "type",
    "add",
    "sort",
    "unique",
    "reverse",
    "min",
    "max",
    "first",
    "last",
    "floor",
    "ceil",
    "round",
    "sqrt",
    "abs",
    "fabs",
    "to_entries",
    "from_entries",
    "tojson",
    "any",
    "all",
    "empty",
    "true",
    "false",
    "null",
    "ascii_downcase",
    "ascii_upcase",
    "trim",
    "ltrim",
    "rtrim",
    "values",
    "nulls",
    "strings",
    "numbers",
    "booleans",
    "arrays",
    "objects",
    "scalars",
    "error",
    "flatten",
    "has",
    "contains",
    "startswith",
    "endswith",
    "ltrimstr",
    "rtrimstr",
    "split",
];
const OVER_ITEMS: [&str; 12] = [
    "map",
    "select",
    "sort_by",
    "group_by",
    "unique_by",
    "min_by",
    "max_by",
    "any",
    "all",
    "map_values",
    "with_entries",
    "del",
];

/// How much a program may ask for.
pub(super) fn ease(code: &str) -> Ease {
    if code.len() > MAX_LENGTH {
        return Ease::Wild;
    }
    let term = jaq_core::load::parse(code, |parser| parser.term());
    let mut look = Look { sums: 0 };
    match term {
        Some(term) if look.is_calm(&term) && look.sums <= MAX_SUMS => Ease::Calm,
        _ => Ease::Wild,
    }
}

struct Look {
    sums: usize,
}

impl Look {
    fn is_calm(&mut self, term: &Term<&str>) -> bool {
        match term {
            Term::Id | Term::Num(_) => true,
            Term::Str(format, parts) => format.is_none() && parts.iter().all(|part| self.is_calm_part(part)),
            Term::Arr(inside) => inside.iter().all(|inside| self.is_calm(inside)),
            Term::Neg(inside) | Term::TryCatch(inside, None) => self.is_calm(inside),
            Term::Obj(entries) => self.is_calm_object(entries),
            Term::BinOp(left, operator, right) => self.is_calm_operation(left, operator, right),
            Term::IfThenElse(arms, otherwise) => {
                arms.iter().all(|(test, then)| !gives_many(test) && self.is_calm(test) && self.is_calm(then))
                    && otherwise.iter().all(|otherwise| self.is_calm(otherwise))
            }
            Term::Call(name, arguments) => self.is_calm_call(name, arguments),
            Term::Path(head, path) => {
                let calm_part = |look: &mut Self, part: &Part<Term<&str>>| match part {
                    Part::Index(index) => !gives_many(index) && look.is_calm(index),
                    Part::Range(from, to) => {
                        from.iter().chain(to).all(|bound| !gives_many(bound) && look.is_calm(bound))
                    }
                };
                self.is_calm(head) && path.0.iter().all(|(part, _)| calm_part(self, part))
            }
            _ => false,
        }
    }

    fn is_calm_part(&mut self, part: &StrPart<&str, Term<&str>>) -> bool {
        match part {
            StrPart::Term(term) => !gives_many(term) && self.is_calm(term),
            _ => true,
        }
    }

    /// Several streams in one object give every combination.
    fn is_calm_object(&mut self, entries: &[(Term<&str>, Option<Term<&str>>)]) -> bool {
        let terms = || entries.iter().flat_map(|(key, value)| std::iter::once(key).chain(value));
        terms().filter(|term| gives_many(term)).count() <= 1 && terms().all(|term| self.is_calm(term))
    }

    fn is_calm_operation(&mut self, left: &Term<&str>, operator: &BinaryOp<&str>, right: &Term<&str>) -> bool {
        let meets = || gives_many(left) && gives_many(right);
        let is_harmless = match operator {
            BinaryOp::Pipe(None) | BinaryOp::Comma | BinaryOp::Alt => true,
            BinaryOp::Or | BinaryOp::And | BinaryOp::Cmp(_) => !meets(),
            BinaryOp::Math(Math::Add) => {
                self.sums += 1;
                !meets()
            }
            BinaryOp::Math(Math::Mul) => !meets() && (is_small(left) || is_small(right)),
            BinaryOp::Math(_) => !meets(),
            BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateAlt => !gives_many(right),
            BinaryOp::UpdateMath(Math::Add) => {
                self.sums += 1;
                !gives_many(right)
            }
            BinaryOp::UpdateMath(Math::Mul) => is_small(right),
            BinaryOp::UpdateMath(_) => !gives_many(right),
            _ => false,
        };
        is_harmless && self.is_calm(left) && self.is_calm(right)
    }

    fn is_calm_call(&mut self, name: &str, arguments: &[Term<&str>]) -> bool {
        let known = match arguments {
            [] => PLAIN.contains(&name),
            [argument] => (PLAIN.contains(&name) && !gives_many(argument)) || OVER_ITEMS.contains(&name),
            _ => false,
        };
        known && arguments.iter().all(|argument| self.is_calm(argument))
    }
}

/// Whether a term may give more than one result for one input.
fn gives_many(term: &Term<&str>) -> bool {
    match term {
        Term::Id | Term::Num(_) | Term::Arr(_) => false,
        Term::Str(_, parts) => parts.iter().any(|part| matches!(part, StrPart::Term(term) if gives_many(term))),
        Term::Neg(inside) | Term::TryCatch(inside, None) => gives_many(inside),
        Term::Obj(entries) => entries.iter().any(|(key, value)| gives_many(key) || value.iter().any(gives_many)),
        Term::BinOp(_, BinaryOp::Comma, _) => true,
        Term::BinOp(left, _, right) => gives_many(left) || gives_many(right),
        Term::IfThenElse(arms, otherwise) => {
            arms.iter().any(|(test, then)| gives_many(test) || gives_many(then))
                || otherwise.iter().any(|term| gives_many(term))
        }
        Term::Call(_, arguments) => arguments.iter().any(gives_many),
        Term::Path(head, path) => {
            gives_many(head) || path.0.iter().any(|(part, _)| matches!(part, Part::Range(None, None)))
        }
        _ => true,
    }
}

fn is_small(term: &Term<&str>) -> bool {
    matches!(term, Term::Num(number) if number.parse::<f64>().is_ok_and(|number| number <= MAX_FACTOR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_programs_are_harmless() {
        for code in [
            ".",
            ".n += 1",
            ".n * 2",
            "{count: (.items | length)}",
            "[.items[] | select(.on and .n > 3) | {id, name: .name}]",
            ".items | map(.price * 1.1) | add",
            "if .a then .b else \"\\(.c) x\" end",
            "sort_by(.age) | first",
        ] {
            assert_eq!(ease(code), Ease::Calm, "{code}");
        }
    }

    #[test]
    fn what_repeats_multiplies_or_meets_is_not() {
        for code in [
            "[range(1e12)]",
            "def f: f; f",
            "repeat(1)",
            "\"x\" * 1e9",
            ". * .",
            "reduce .[] as $x (0; .)",
            "{a: .[], b: .[]}",
            ".[] + .[]",
            ".[] as $a | .[] as $b | [$a, $b]",
            "[limit(3; .[])]",
            "..",
            "tojson | fromjson",
            "map(.[]) | combinations",
            "last(range(1e12))",
            "no such program (",
        ] {
            assert_eq!(ease(code), Ease::Wild, "{code}");
        }
        assert_eq!(ease(&format!(".{}", " | . + .".repeat(40))), Ease::Wild);
    }
}
