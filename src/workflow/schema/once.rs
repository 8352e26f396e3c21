//! One mistake told once: where a key is misspelt, the key that was meant is missing too.

use super::finding::{Finding, Mistake, Refusal};

/// The refusals that are mistakes of their own, in their order.
pub(super) fn told_once(mut found: Vec<Finding>) -> Vec<Refusal> {
    drop_misspelt(&mut found);
    join_strange(&mut found);
    drop_shapeless(&mut found);
    found.into_iter().map(|one| one.refusal).collect()
}

/// What is there under a name with a slip in it is not missing.
fn drop_misspelt(found: &mut Vec<Finding>) {
    let slip = |one: &Finding| match &one.mistake {
        Mistake::UnknownKey { meant: Some(meant) } => Some((one.refusal.pointer.clone(), meant.clone())),
        _ => None,
    };
    let slips: Vec<(String, String)> = found.iter().filter_map(slip).collect();
    found.retain(|one| match &one.mistake {
        Mistake::MissingKey { any_of } => {
            !slips.iter().any(|(pointer, meant)| *pointer == one.refusal.pointer && any_of.contains(meant))
        }
        _ => true,
    });
}

/// A key whose name is like none is taken for one that is missing beside it: what is missing becomes its help.
fn join_strange(found: &mut Vec<Finding>) {
    let mut is_joined = vec![false; found.len()];
    for strange in 0..found.len() {
        if found[strange].mistake != (Mistake::UnknownKey { meant: None }) {
            continue;
        }
        let pointer = &found[strange].refusal.pointer;
        let is_free = |at: &usize| {
            let one = &found[*at];
            !is_joined[*at] && matches!(one.mistake, Mistake::MissingKey { .. }) && one.refusal.pointer == *pointer
        };
        if let Some(missing) = (0..found.len()).find(is_free) {
            is_joined[missing] = true;
            let needs = found[missing].refusal.message.clone();
            let help = &mut found[strange].refusal.help;
            *help = Some(help.take().map_or_else(|| needs.clone(), |help| format!("{needs}; {help}")));
        }
    }
    let mut is_joined = is_joined.into_iter();
    found.retain(|_| !is_joined.next().unwrap_or_default());
}

/// That a value has none of its shapes says nothing where something in it is told to be wrong.
fn drop_shapeless(found: &mut Vec<Finding>) {
    let told = found.iter().filter(|one| one.mistake != Mistake::NoShape);
    let told: Vec<String> = told.map(|one| one.refusal.pointer.clone()).collect();
    let is_inside = |place: &String, around: &str| {
        place.strip_prefix(around).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    found.retain(|one| {
        one.mistake != Mistake::NoShape || !told.iter().any(|place| is_inside(place, &one.refusal.pointer))
    });
}
