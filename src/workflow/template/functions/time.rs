//! Time: `now date`.

mod moment;

use super::super::budget::Tools;
use super::super::value::Val;
use super::{Outcome, text_of};
use moment::Moment;

/// The scope's time in UTC, as RFC 3339 with seconds.
pub(super) fn now<'a>(tools: &mut Tools<'a>, _: &[Val<'a>]) -> Outcome<'a> {
    let text = Moment::at(tools.scope.surroundings.now()).format("2006-01-02T15:04:05Z07:00");
    tools.text(text)
}

/// `date "2006-01-02" .time`: a time, RFC 3339 or seconds since 1970, in a layout; without a time, now.
pub(super) fn date<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let layout = text_of(&arguments[0])?;
    let moment = match arguments.get(1) {
        None => Some(Moment::at(tools.scope.surroundings.now())),
        Some(Val::Int(seconds)) => Moment::from_seconds(*seconds, 0),
        Some(Val::Float(seconds, _)) => {
            let whole = seconds.floor();
            Moment::from_seconds(whole as i64, ((seconds - whole) * 1e9) as u32)
        }
        Some(Val::Text(text)) => std::str::from_utf8(text.bytes()).ok().and_then(Moment::parse),
        Some(_) => None,
    };
    let moment = moment.ok_or_else(|| {
        let given = arguments.get(1).map_or("nothing", Val::kind);
        format!("a time like `2006-01-02T15:04:05Z` or seconds since 1970 is needed, got {given} that is neither")
    })?;
    tools.text(moment.format(&layout))
}
